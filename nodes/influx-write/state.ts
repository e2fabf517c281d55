import type { Delivery } from '../influx-server/delivery';
import { troubleOf } from '../influx-server/trouble';
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
