import type { NodeAPI } from 'node-red';
import { PackError } from '../lib/errors';
import { configNode } from '../lib/runtime/config-nodes';
import { EndpointError, addJsonEndpoint, textMember } from '../lib/runtime/endpoint';
import { addCollector } from '../lib/runtime/metrics';
import type { Delivery } from './delivery';
import type { InfluxServerNode } from './influx-server';
import { unownedQueues } from './unowned-queues';

const PERMISSION = 'influx-server.write';

/** What the dialog shows of the queues. */
export interface QueueList {
  /** Where the deployed node writes to; empty when it is not deployed, or cannot work. */
  place: string;
  /** Buckets with points in its queue. */
  buckets: { bucket: string; points: number; reason: string }[];
  /** Queues that no node has: of another place, or of a node that is gone. */
  unowned: { queue: string; points: number }[];
}

/** Lets an operator see what waits in the queues, hand over queues that nobody has, and discard points. */
export function serveQueues(RED: NodeAPI): void {
  const unowned = unownedQueues(RED);

  // After the nodes have started, and so after those of a deploy have said their places.
  RED.events.on('flows:started', () => {
    unowned.look().then(
      (found) => {
        for (const [queue, points] of found)
          RED.log.warn(RED._('influx-server.report.unowned', { queue, points: String(points) }));
      },
      () => undefined, // the nodes that cannot use the store say why
    );
  });
  addCollector(() => [
    {
      name: 'mqtt2influx_points_unowned',
      help: 'Points in queues whose place no influx-server node has',
      type: 'gauge',
      samples: Array.from(unowned.points, ([place, value]) => ({ labels: { place }, value })),
    },
  ]);

  addJsonEndpoint(RED, 'influx-server/queues', PERMISSION, async (body): Promise<QueueList> => {
    const delivery = deliveryOf(RED, body);
    const buckets = delivery?.queued() ?? [];
    const states = delivery?.buckets;
    return {
      place: delivery?.place ?? '',
      buckets: buckets.map((each) => ({ ...each, reason: states?.get(each.bucket)?.reason ?? '' })),
      unowned: Array.from(await asked(unowned.look()), ([queue, points]) => ({ queue, points })),
    };
  });

  addJsonEndpoint(RED, 'influx-server/take-over', PERMISSION, async (body) => {
    const delivery = deliveryOf(RED, body);
    if (!delivery) throw new EndpointError('not-deployed', RED._('influx-server.queue.not-deployed'));
    const queue = textMember(body, 'queue');
    const points = (await asked(unowned.look())).get(queue);
    if (points === undefined) throw new EndpointError('no-queue', RED._('influx-server.queue.none', { queue }));
    await asked(delivery.takeOver(queue));
    await asked(unowned.look());
    return { points };
  });

  addJsonEndpoint(RED, 'influx-server/discard', PERMISSION, async (body) => {
    const queue = textMember(body, 'queue');
    if (queue !== '') {
      if (!(await asked(unowned.look())).has(queue))
        throw new EndpointError('no-queue', RED._('influx-server.queue.none', { queue }));
      const points = await asked(unowned.discard(queue));
      RED.log.warn(RED._('influx-server.report.discarded-queue', { queue, points: String(points) }));
      return { points };
    }
    const delivery = deliveryOf(RED, body);
    if (!delivery) throw new EndpointError('not-deployed', RED._('influx-server.queue.not-deployed'));
    return { points: await asked(delivery.discard(textMember(body, 'bucket'))) };
  });
}

function deliveryOf(RED: NodeAPI, body: Record<string, unknown>): Delivery | undefined {
  const node = configNode(RED, textMember(body, 'id'), 'influx-server') as InfluxServerNode | undefined;
  return node?.delivery;
}

/** What an operator must put right is told in words, like all that was asked for in vain. */
async function asked<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof PackError ? new EndpointError(error.code, error.message) : error;
  }
}
