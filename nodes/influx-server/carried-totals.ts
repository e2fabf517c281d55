import { addTotals, type QueueTotals } from '../lib/store/totals';

// A redeploy opens the queue anew, and its counts begin again; what an operator sees must not.
const closed = new Map<string, QueueTotals>();

/**
 * The totals of a place's queue since Node-RED was started; undefined while it was never open, for then nobody knows.
 *
 * @param open - the totals of the open queue, if it is open
 */
export function totalsSinceStart(place: string, open: QueueTotals | undefined): QueueTotals | undefined {
  const before = closed.get(place);
  if (!before || !open) return open ?? before;
  const sum = { ...open };
  // What lay in the queue when it was closed has been found in it again: it was recovered once, not twice.
  const recovered = before.recovered - before.queuedPoints;
  addTotals(sum, { ...before, recovered, queuedPoints: 0, queuedBytes: 0, accepting: 0 });
  return sum;
}

/** Keeps the totals of a queue that has been closed. */
export function keepTotals(place: string, open: QueueTotals): void {
  closed.set(place, totalsSinceStart(place, open) ?? open);
}

/** The points of a queue that is not open are not there any more: should it be opened again, it begins anew. */
export function forgetTotals(place: string): void {
  closed.delete(place);
}
