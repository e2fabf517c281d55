import type { Node, NodeAPI } from 'node-red';
import type { InfluxServerNode } from '../influx-server/influx-server';
import { runningRegistry, type IotRegistryNode } from '../iot-registry/iot-registry';
import { troubleOf } from '../influx-server/trouble';
import { PackError, reasonOf } from '../lib/errors';
import { configNode } from '../lib/runtime/config-nodes';
import { MessageNode } from '../lib/runtime/message-node';
import { addCollector, serveMetrics } from '../lib/runtime/metrics';
import { MinuteLog } from '../lib/runtime/minute-log';
import { schedule, type Schedule } from '../lib/runtime/schedule';
import { commandOf } from './command';
import type { InfluxProvisionConfig } from './config';
import { driftMetrics } from './drift-metrics';
import { driftOf, isInOrder } from './drift';
import { Provisioning } from './provisioning';
import { provisionView } from './view';

const PROGRESS_OUTPUT = 1;

export default function register(RED: NodeAPI): void {
  function InfluxProvision(this: Node, config: InfluxProvisionConfig) {
    RED.nodes.createNode(this, config);
    const text = (name: string, values?: Record<string, string>) => RED._(`influx-provision.${name}`, values);
    const registryNode = configNode(RED, config.registry, 'iot-registry') as IotRegistryNode | undefined;
    const serverNode = configNode(RED, config.server, 'influx-server') as InfluxServerNode | undefined;
    const { connection, delivery } = serverNode ?? {};
    if (!registryNode || !connection || !delivery) {
      const view = { intent: 'misconfigured', text: text('status.not-configured') } as const;
      new MessageNode(RED, this, { rejectedOutput: PROGRESS_OUTPUT, view: () => view }).onInput(() => {
        throw new PackError('not-configured', text('error.not-configured'));
      });
      return;
    }

    const provisioning = new Provisioning({
      provisioner: () => connection.provisioner(),
      buckets: () => runningRegistry(registryNode).buckets,
      step: (item, result) => this.send([null, { payload: { ...item, ...result } }]),
      changed: () => runtime.status.touch(),
    });
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: PROGRESS_OUTPUT,
      view: () =>
        registryNode.registry
          ? provisionView(provisioning, (name, values) => text(`status.${name}`, values), troubleOf(delivery)?.reason)
          : { intent: 'misconfigured', text: text('status.registry') },
    });

    runtime.onInput((message, send, done) => {
      const command = commandOf(message, text('error.command'));
      runtime.counters.pending += 1;
      provisioning
        .carryOut(command)
        .finally(() => {
          runtime.counters.pending -= 1;
        })
        .then(
          ({ rows, failure }) => {
            message.payload = rows;
            if (failure === undefined) {
              runtime.pass(command.name, message, send, done);
              return;
            }
            // The report says what was done all the same.
            send(message);
            runtime.fail(done, new PackError('provision-failed', failure));
          },
          (error: unknown) => runtime.fail(done, error),
        );
    });

    const log = new MinuteLog((line) => this.warn(line));
    const check = (): void => {
      if (!registryNode.registry) return;
      provisioning.carryOut({ name: 'plan', allowShorten: false }).then(
        ({ rows }) => {
          if (checksItself && !isInOrder(driftOf(rows))) this.send({ payload: rows });
        },
        (error: unknown) => log.say('check', text('report.check', { reason: reasonOf(error) })),
      );
    };
    const checks = scheduled(this, config.schedule, check);
    const checksItself = checks?.next() !== undefined;
    if (checksItself) check();
    const stopFollowing = registryNode.changed.add(() => {
      runtime.status.touch();
      if (checksItself) check();
    });
    // A node that looks on a message only sends nothing by itself, but its status must not go on showing an outage.
    const isDown = (): boolean => troubleOf(delivery)?.needsOperator === false;
    let wasDown = isDown();
    const stopWatching = delivery.changed.add(() => {
      const cameBack = wasDown && !isDown();
      wasDown = isDown();
      runtime.status.touch();
      if (cameBack && (checksItself || provisioning.failure !== undefined)) check();
    });
    const stopCollecting = addCollector(() => driftMetrics(this.id, provisioning.drift));

    this.on('close', (done: () => void) => {
      checks?.close();
      stopFollowing();
      stopWatching();
      stopCollecting();
      void provisioning.close().finally(() => {
        log.close();
        done();
      });
    });
  }

  RED.nodes.registerType('influx-provision', InfluxProvision);
  serveMetrics(RED);
}

/** A schedule that cannot be read is an error of the node, which otherwise works. */
function scheduled(node: Node, text: string, run: () => void): Schedule | undefined {
  try {
    return schedule(text, run);
  } catch (error) {
    node.error(reasonOf(error));
    return undefined;
  }
}
