import type { Copies } from './copies';
import type { Day } from './days';
import { daysOf } from './manifest';
import { CopyFault, proveCopy } from './read-copy';

/**
 * Removes the copies of all but the latest `keep` days. One of those that stay is read and found good before any goes; when
 * none is, the latest good one of the older days stays as well.
 *
 * @param keep - 0 or less: all
 * @returns the days removed
 */
export async function keepLatest(copies: Copies, keep: number, signal: AbortSignal): Promise<Day[]> {
  const days = daysOf(copies.manifest).reverse();
  const surplus = keep <= 0 ? [] : days.slice(keep);
  if (surplus.length === 0) return [];
  const good = await firstGood(copies, days, signal);
  const removed: Day[] = [];
  for (const day of surplus) {
    if (day === good || good === undefined) continue;
    await copies.remove(day);
    removed.push(day);
  }
  return removed;
}

async function firstGood(copies: Copies, days: readonly Day[], signal: AbortSignal): Promise<Day | undefined> {
  for (const day of days) {
    const copy = copies.manifest.days[day];
    try {
      if (copy) await proveCopy(copies.directory, day, copy, signal);
      if (copy) return day;
    } catch (error) {
      if (!(error instanceof CopyFault)) throw error;
    }
  }
  return undefined;
}
