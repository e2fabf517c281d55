import type { Node, NodeAPI } from 'node-red';
import type { InfluxServerNode } from '../influx-server/influx-server';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import type { AggregatorListener } from '../lib/aggregate/aggregator';
import { isKept } from '../lib/aggregate/due';
import { rulesOf, type Rule } from '../lib/aggregate/rules';
import { PackError } from '../lib/errors';
import { configNode } from '../lib/runtime/config-nodes';
import { tally } from '../lib/runtime/counters';
import { MessageNode } from '../lib/runtime/message-node';
import { addCollector, serveMetrics } from '../lib/runtime/metrics';
import { MinuteLog } from '../lib/runtime/minute-log';
import { commandOf } from './command';
import { DEFAULT_GRACE, LONG_GRACE, type InfluxAggregateConfig } from './config';
import { Backfill } from './progress';
import { aggregateView } from './view';
import { windowMetrics } from './window-metrics';

const PROGRESS_OUTPUT = 1;

export default function register(RED: NodeAPI): void {
  function InfluxAggregate(this: Node, config: InfluxAggregateConfig) {
    RED.nodes.createNode(this, config);
    const text = (name: string, values?: Record<string, string | number>) => RED._(`influx-aggregate.${name}`, values);
    const registryNode = configNode(RED, config.registry, 'iot-registry') as IotRegistryNode | undefined;
    const serverNode = configNode(RED, config.server, 'influx-server') as InfluxServerNode | undefined;
    const { delivery, connection } = serverNode ?? {};
    if (!registryNode || !delivery || !connection) {
      const view = { intent: 'misconfigured', text: text('status.not-configured') } as const;
      new MessageNode(RED, this, { rejectedOutput: PROGRESS_OUTPUT, view: () => view }).onInput(() => {
        throw new PackError('not-configured', text('error.not-configured'));
      });
      return;
    }

    const log = new MinuteLog((line) => this.warn(line));
    const backfill = new Backfill();
    const sendProgress = (payload: object): void => this.send([null, { payload }]);
    const listener: AggregatorListener = {
      computed: (batch) => {
        this.send({ payload: batch });
        const { corrections, measurement, into } = batch;
        if (corrections > 0)
          log.say(`corrected ${measurement}`, text('report.corrected', { corrections, measurement, into }));
        const progress = backfill.after(batch, aggregator.state());
        if (progress) sendProgress(progress);
      },
      expired: ({ measurement, bucket }, windows) =>
        log.say(`expired ${measurement}`, text('report.expired', { measurement, bucket, windows })),
      unusable: ({ measurement, bucket }, reason) =>
        log.say(`unusable ${measurement}`, text('report.unusable', { measurement, bucket, reason })),
      changed: () => runtime.status.touch(),
    };
    const seconds = Number(config.grace);
    const usual = connection.overwrites ? DEFAULT_GRACE : LONG_GRACE;
    const grace = config.grace === '' || !(seconds >= 0) ? usual : seconds;
    const aggregator = delivery.aggregator(this.id, grace * 1000, connection, listener);
    let tooShort: Rule | undefined;
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: PROGRESS_OUTPUT,
      view: () => {
        if (!registryNode.registry) return { intent: 'misconfigured', text: text('status.registry') };
        if (tooShort) return { intent: 'misconfigured', text: text('status.grace', { bucket: tooShort.bucket }) };
        return aggregateView(aggregator.state(), (name, values) => text(`status.${name}`, values));
      },
    });
    // Without a running registry, the rules of last time stay.
    const takeRules = (): void => {
      if (registryNode.registry) {
        const rules = rulesOf(registryNode.registry);
        tooShort = rules.find((rule) => !isKept(rule, grace * 1000));
        if (tooShort) {
          const { measurement, bucket } = tooShort;
          log.say('grace', text('report.grace', { measurement, bucket }));
        }
        aggregator.setRules(rules);
      }
      runtime.status.touch();
    };
    takeRules();
    const stopFollowing = registryNode.changed.add(takeRules);
    const stopListening = delivery.listen(this.id, {
      written: () => undefined,
      refused: ({ origin, reason, line }) => {
        if (origin === this.id) aggregator.hasRefused();
        log.say(`refused ${reason}`, text('report.refused', { reason, line }));
      },
      changed: () => runtime.status.touch(),
    });
    const stopCollecting = addCollector(() => windowMetrics(this.id, aggregator.state()));

    runtime.onInput((message, _send, done) => {
      runningRegistry(registryNode);
      const command = commandOf(message, (name) => text(`error.${name}`));
      if (command.name === 'status') {
        sendProgress(aggregator.state());
        tally(runtime.counters.passed, command.name);
        done();
        return;
      }
      runtime.counters.pending += 1;
      aggregator.recompute(command.from, command.to).then(
        (marked) => {
          runtime.counters.pending -= 1;
          sendProgress({ ...aggregator.state(), marked });
          tally(runtime.counters.passed, command.name);
          done();
        },
        (error: unknown) => {
          runtime.counters.pending -= 1;
          runtime.fail(done, error);
        },
      );
    });

    this.on('close', (done: () => void) => {
      stopFollowing();
      stopListening();
      stopCollecting();
      log.close();
      void aggregator.close().finally(done);
    });
  }

  RED.nodes.registerType('influx-aggregate', InfluxAggregate);
  serveMetrics(RED);
}
