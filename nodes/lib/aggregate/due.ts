import type { Reach } from '../store/lanes';
import { isWritten, type Mark, type RuleMarks, type SeriesSet } from './mark';

/** Late points seldom come alone: a window waits until none has come for this long, */
const SETTLE = 5_000;
/** but no longer than this. */
const SETTLE_MOST = 60_000;
/** Windows are left alone this long before their first points may go: the clocks may differ, and reading takes time. */
const EDGE = 60_000;
const SERIES_IN_A_QUERY = 50;

export interface DueOptions {
  now: number;
  /** Milliseconds from the end of a window until it is computed. */
  grace: number;
  /** How long raw points are kept, in milliseconds. */
  retention: number;
  left: Reach;
}

export interface DueWindows {
  /** To be computed, oldest first. */
  due: Mark[];
  /** Some of their points may be gone: what was computed before is better than what could be now. */
  expired: Mark[];
}

/** Whether a window has ended and its grace is over. */
export function hasEnded(start: number, every: number, { now, grace }: { now: number; grace: number }): boolean {
  return start + every + grace <= now;
}

/** The first time from which all points of a window are certainly kept. */
export function oldestWhole({ now, retention }: { now: number; retention: number }): number {
  return now - retention + EDGE;
}

/** Which of the marked windows can be computed now. */
export function dueWindows({ rule, windows }: RuleMarks, options: DueOptions): DueWindows {
  const { now, grace, left } = options;
  const settle = Math.min(SETTLE, grace);
  const oldest = oldestWhole(options);
  const found: DueWindows = { due: [], expired: [] };
  for (const mark of windows.values()) {
    if (mark.taken || !hasEnded(mark.start, rule.every, options)) continue;
    const isSettled = now - mark.lastAt >= settle || now - mark.firstAt >= SETTLE_MOST;
    if (mark.start < oldest) found.expired.push(mark);
    else if (isSettled && isWritten(mark, left)) found.due.push(mark);
  }
  found.due.sort((a, b) => a.start - b.start);
  return found;
}

/**
 * Puts due windows that follow each other together, to be read by one query; oldest first.
 *
 * @param most - windows in a group
 */
export function groupsOf(due: readonly Mark[], every: number, most: number): Mark[][] {
  const groups: Mark[][] = [];
  let last: Mark[] | undefined;
  let series: SeriesSet;
  for (const mark of due) {
    const both: { series: SeriesSet } | undefined =
      last?.at(-1)?.start === mark.start - every && last.length < most ? joined(series, mark.series) : undefined;
    if (last === undefined || both === undefined) {
      last = [mark];
      series = mark.series;
      groups.push(last);
    } else {
      last.push(mark);
      series = both.series;
    }
  }
  return groups;
}

/** The series to read for both; undefined when they should be read apart. */
function joined(a: SeriesSet, b: SeriesSet): { series: SeriesSet } | undefined {
  if (a === undefined && b === undefined) return { series: undefined };
  if (a === undefined || b === undefined) return undefined;
  const series = new Set([...a, ...b]);
  return series.size <= SERIES_IN_A_QUERY ? { series } : undefined;
}
