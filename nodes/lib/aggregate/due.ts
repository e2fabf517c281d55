import type { Reach } from '../store/lanes';
import { hasEnded, isWritten, type Mark, type RuleMarks, type SeriesSet, type Stretch, type Time } from './mark';

/** Late points seldom come alone: a window waits until none has come for this long, */
const SETTLE = 5_000;
/** but no longer than this. */
const SETTLE_MOST = 60_000;
/** Windows are left alone this long before their first points may go: the clocks may differ, and reading takes time. */
const EDGE = 60_000;
const SERIES_IN_A_QUERY = 50;

export interface DueOptions extends Time {
  /** Milliseconds of the clock that marks are stamped by. */
  steady: number;
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

/** The first time from which all points of a window are certainly kept. */
export function oldestWhole({ now, retention }: { now: number; retention: number }): number {
  return now - retention + EDGE;
}

/** Which of the marked windows can be computed now. */
export function dueWindows({ rule, windows }: RuleMarks, options: DueOptions): DueWindows {
  const { left } = options;
  const oldest = oldestWhole(options);
  const found: DueWindows = { due: [], expired: [] };
  for (const mark of windows.values()) {
    if (mark.taken || !hasEnded(mark.start, rule.every, options)) continue;
    if (mark.start < oldest) found.expired.push(mark);
    else if (isSettled(mark, options) && isWritten(mark, left)) found.due.push(mark);
  }
  found.due.sort((a, b) => a.start - b.start);
  return found;
}

/** The stretch whose windows are to be marked one by one now, the oldest that can be. */
export function dueStretch({ rule, stretches }: RuleMarks, options: DueOptions): Stretch | undefined {
  let oldest: Stretch | undefined;
  for (const stretch of stretches.values()) {
    if (!hasEnded(stretch.from, rule.every, options) || !isSettled(stretch, options)) continue;
    if (oldest === undefined || stretch.start < oldest.start) oldest = stretch;
  }
  return oldest;
}

/** The start of the oldest window that has ended and is still marked: ms since 1970. */
export function oldestMarked({ rule, windows, stretches }: RuleMarks, time: Time): number | undefined {
  let oldest: number | undefined;
  const look = (start: number): void => {
    if ((oldest === undefined || start < oldest) && hasEnded(start, rule.every, time)) oldest = start;
  };
  for (const start of windows.keys()) look(start);
  for (const { from } of stretches.values()) look(from);
  return oldest;
}

function isSettled({ firstAt, lastAt }: Mark | Stretch, { steady, grace }: DueOptions): boolean {
  return steady - lastAt >= Math.min(SETTLE, grace) || steady - firstAt >= SETTLE_MOST;
}

/**
 * Puts due windows that follow each other together, to be read by one query; oldest first.
 *
 * @param most - how many windows one query may read of some series
 */
export function groupsOf(due: readonly Mark[], every: number, most: (series: SeriesSet) => number): Mark[][] {
  const groups: Mark[][] = [];
  let last: Mark[] | undefined;
  let series: SeriesSet;
  for (const mark of due) {
    const both = last?.at(-1)?.start === mark.start - every ? joined(series, mark.series) : undefined;
    if (last === undefined || both === undefined || last.length >= most(both.series)) {
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
