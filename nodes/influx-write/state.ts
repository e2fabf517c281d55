import type { Delivery } from '../influx-server/delivery';
import type { UnownedQueues } from '../influx-server/unowned-queues';
import type { WriteState } from './view';

/** What became of the points of one `influx-write` node, and what its server's writer is doing. */
export function writeState(delivery: Delivery, origin: string, unowned: UnownedQueues): WriteState {
  const { written, refused, dropped, queuedPoints } = delivery.totalsOf(origin);
  return {
    storeProblem: delivery.problem,
    trouble: troubleOf(delivery),
    written,
    refused,
    dropped,
    queued: queuedPoints,
    unowned: Array.from(unowned.points.values()).reduce((sum, points) => sum + points, 0),
  };
}

/** The worst that any bucket suffers from: what an operator must put right goes before what passes by itself. */
function troubleOf(delivery: Delivery): WriteState['trouble'] {
  let trouble: WriteState['trouble'];
  for (const { state, reason } of delivery.buckets.values()) {
    if (reason === undefined) continue;
    if (state === 'configuration') return { reason, needsOperator: true };
    if (state === 'retrying') trouble = { reason, needsOperator: false };
  }
  return trouble;
}
