import { addTotals, type QueueTotals } from '../lib/store/totals';

// A redeploy opens the queue anew, and its counts begin again; what an operator sees must not.
const carried = new Map<string, Partial<QueueTotals>>();

/** Adds what came before the queue of this server was opened last. */
export function withCarried(server: string, totals: QueueTotals): QueueTotals {
  const sum = { ...totals };
  addTotals(sum, carried.get(server) ?? {});
  return sum;
}

/** Keeps the totals of a queue that has been closed. */
export function carryOver(server: string, totals: QueueTotals): void {
  const sum = withCarried(server, totals);
  // What lies in the queue now is found there again when it is opened: it was recovered once, not twice.
  carried.set(server, {
    ...sum,
    recovered: sum.recovered - sum.queuedPoints,
    queuedPoints: 0,
    queuedBytes: 0,
    accepting: 0,
  });
}
