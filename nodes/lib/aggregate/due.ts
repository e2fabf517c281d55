import type { Reach } from '../store/lanes';
import { hasEnded, isWritten, type Mark, type RuleMarks, type SeriesSet, type Stretch, type Time } from './mark';

/** Late points seldom come alone: a window waits until none has come for this long, */
const SETTLE = 5_000;
/** but no longer than this. */
const SETTLE_MOST = 60_000;
/** The same so many times where results cannot be replaced. */
const WITHOUT_REPLACING = 12;
/** Windows are left alone this long before their first points may go: the clocks may differ, and reading takes time. */
const EDGE = 60_000;
/** What is too old stays marked for this long: the clock may be wrong, and be set right. */
const GIVE_UP = 3_600_000;
const SERIES_IN_A_QUERY = 50;

export interface DueOptions extends Time {
  /** Milliseconds of the clock that marks are stamped by. */
  steady: number;
  /** How long raw points are kept, in milliseconds. */
  retention: number;
  left: Reach;
  /** Whether a result can be replaced: else late points are awaited for longer, for each time costs a row. */
  overwrites: boolean;
}

export interface DueWindows {
  /** To be computed, oldest first. */
  due: Mark[];
  /** Part of their points may be gone: what was computed before is better than what could be now. */
  expired: Mark[];
  /** Windows that have ended and whose points are all kept, due or not. */
  whole: number;
  /** Windows that would be expired, if it were sure that the clock is right. */
  old: number;
}

export interface DueStretches {
  /** The oldest whose windows can be marked one by one now. */
  due: Stretch | undefined;
  /** As of windows. */
  expired: Stretch[];
  /** Windows in them, as {@link DueWindows.old}. */
  old: number;
}

/** Whether the windows of a rule can be computed at all before their first points go. */
export function isKept({ every, retention }: { every: number; retention: number }, grace: number): boolean {
  return every + grace + EDGE < retention;
}

/** The first time from which all points of a window are certainly kept. */
export function oldestWhole({ now, retention }: { now: number; retention: number }): number {
  return now - retention + EDGE;
}

/** Which of the marked windows can be computed now. */
export function dueWindows({ rule, windows }: RuleMarks, options: DueOptions): DueWindows {
  const oldest = oldestWhole(options);
  const found: DueWindows = { due: [], expired: [], whole: 0, old: 0 };
  for (const mark of windows.values()) {
    const isOld = mark.start < oldest;
    if (isExpired(mark, isOld, options) && !mark.taken) found.expired.push(mark);
    else if (isOld && hasEnded(mark.start, rule.every, options)) found.old++;
    if (isOld || !hasEnded(mark.start, rule.every, options)) continue;
    found.whole++;
    if (!mark.taken && isSettled(mark, options) && isWritten(mark, options.left)) found.due.push(mark);
  }
  found.due.sort((a, b) => a.start - b.start);
  return found;
}

/** Which stretch is to be marked window by window now. */
export function dueStretches({ rule, stretches }: RuleMarks, options: DueOptions): DueStretches {
  const oldest = oldestWhole(options);
  const found: DueStretches = { due: undefined, expired: [], old: 0 };
  for (const stretch of stretches.values()) {
    const isOld = stretch.to - rule.every < oldest;
    if (isExpired(stretch, isOld, options)) found.expired.push(stretch);
    else if (isOld) found.old += (stretch.to - stretch.from) / rule.every;
    if (isOld || options.steady < stretch.notBefore || !isSettled(stretch, options)) continue;
    if (!hasEnded(stretch.from, rule.every, options)) continue;
    if (found.due === undefined || stretch.start < found.due.start) found.due = stretch;
  }
  return found;
}

/** Whether the points that it needs have been too old for so long that the clock is not to blame. */
function isExpired(marked: Mark | Stretch, isOld: boolean, { steady }: DueOptions): boolean {
  if (!isOld) marked.oldSince = undefined;
  else marked.oldSince ??= steady;
  return marked.oldSince !== undefined && steady - marked.oldSince >= GIVE_UP;
}

/** The start of the oldest window that has ended and is to be computed: ms since 1970. */
export function oldestMarked({ rule, windows, stretches }: RuleMarks, time: Time): number | undefined {
  let oldest: number | undefined;
  const look = (start: number): void => {
    if ((oldest === undefined || start < oldest) && hasEnded(start, rule.every, time)) oldest = start;
  };
  for (const { start, oldSince } of windows.values()) if (oldSince === undefined) look(start);
  for (const { from, oldSince } of stretches.values()) if (oldSince === undefined) look(from);
  return oldest;
}

function isSettled({ firstAt, lastAt }: Mark | Stretch, { steady, grace, overwrites }: DueOptions): boolean {
  const times = overwrites ? 1 : WITHOUT_REPLACING;
  return steady - lastAt >= Math.min(SETTLE * times, grace) || steady - firstAt >= SETTLE_MOST * times;
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
