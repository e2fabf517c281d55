import type { Node, NodeAPI } from 'node-red';
import type { InfluxServerNode } from '../influx-server/influx-server';
import { unownedQueues } from '../influx-server/unowned-queues';
import { PackError } from '../lib/errors';
import { checkBucket } from '../lib/influx/bucket-name';
import { lineOfNew } from '../lib/influx/line-protocol';
import { refusalView } from '../lib/runtime/check-view';
import { configNode } from '../lib/runtime/config-nodes';
import { tally } from '../lib/runtime/counters';
import { MessageNode } from '../lib/runtime/message-node';
import { serveMetrics } from '../lib/runtime/metrics';
import { Recent } from '../lib/runtime/recent';
import type { InfluxWriteConfig } from './config';
import { pointTotals, writeState } from './state';
import { writeView } from './view';

const REFUSED_OUTPUT = 1;

export default function register(RED: NodeAPI): void {
  function InfluxWrite(this: Node, config: InfluxWriteConfig) {
    RED.nodes.createNode(this, config);
    const serverNode = configNode(RED, config.server, 'influx-server') as InfluxServerNode | undefined;
    const delivery = serverNode?.delivery;
    const text = (name: string, values?: Record<string, string>) => RED._(`influx-write.status.${name}`, values);
    const points = delivery && new Recent(pointTotals(delivery, this.id));
    const runtime = new MessageNode(RED, this, {
      rejectedOutput: REFUSED_OUTPUT,
      view: (_counters, recent) => {
        if (!delivery || !points) return { intent: 'misconfigured', text: text('not-configured') };
        const view = writeView(writeState(delivery, this.id, points, unownedQueues(RED)), text);
        // A message that is no point, or finds no room, is an error, whatever became of the others.
        const isFine = view.intent === 'ok' || view.intent === 'idle';
        return (isFine && refusalView(recent, () => undefined)) || view;
      },
    });
    if (!delivery) {
      runtime.onInput(() => {
        throw new PackError('not-configured', RED._('influx-write.error.not-configured'));
      });
      return;
    }

    runtime.onInput((message, _send, done) => {
      const { point } = message;
      if (!point) throw new PackError('invalid-point', RED._('influx-write.error.no-point'));
      checkBucket(point.bucket);
      const line = lineOfNew(point);
      // Hand-made points without a kind are sensor data; alarms and actions outlive them when the queue is full.
      const priority = message.kind === undefined || message.kind === 'sensor' ? 'sensor' : 'event';
      runtime.counters.pending += 1;
      delivery.accept(point.bucket, priority, this.id, line, (error) => {
        runtime.counters.pending -= 1;
        if (error) {
          runtime.fail(done, error);
          return;
        }
        tally(runtime.counters.passed, 'accepted');
        done();
      });
    });

    const stopListening = delivery.listen(this.id, {
      written: ({ bucket, points, milliseconds }) => {
        this.send({ payload: { written: points, bucket, milliseconds } });
      },
      refused: ({ line, point, reason }) => {
        runtime.sendRejected({ payload: line, point }, { code: 'refused', reason });
      },
      changed: () => runtime.status.touch(),
    });
    this.on('close', (done: () => void) => {
      stopListening();
      done();
    });
  }

  RED.nodes.registerType('influx-write', InfluxWrite);
  serveMetrics(RED);
}
