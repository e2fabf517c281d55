import type { Delivery } from '../influx-server/delivery';
import type { UnownedQueues } from '../influx-server/unowned-queues';
import type { Recent } from '../lib/runtime/recent';
import type { WriteState } from './view';

/** What has become of points since the start. */
export type PointTotals = Record<'written' | 'refused' | 'dropped', number>;

export function pointTotals(delivery: Delivery, origin: string): PointTotals {
  const { written, refused, dropped } = delivery.totalsOf(origin);
  return { written, refused, dropped };
}

/** What became of the points of one `influx-write` node, and what its server's writer is doing. */
export function writeState(
  delivery: Delivery,
  origin: string,
  recent: Recent<PointTotals>,
  unowned: UnownedQueues,
): WriteState {
  const totals = delivery.totalsOf(origin);
  const { written, refused, dropped } = recent.growth(pointTotals(delivery, origin));
  return {
    storeProblem: delivery.problem,
    trouble: troubleOf(delivery),
    isNew: totals.written === 0,
    written,
    refused,
    dropped,
    queued: totals.queuedPoints,
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
