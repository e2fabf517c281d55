import { setImmediate } from 'node:timers/promises';
import { PackError } from '../errors';
import type { QuerySource } from '../influx/query';
import { querySeries, type Range } from '../influx/query-range';
import type { StoredCallback } from '../store/queue';
import type { SeriesSet } from './mark';
import { resultFields, resultLine, Results } from './results';
import { StoredResults } from './revisions';
import type { Rule } from './rules';
import { statementOf } from './statement';
import { windowsOf } from './windows';

/** Milliseconds of work before others have their turn. */
const TURN = 8;

/** Where raw points are read, and results go. */
export interface ComputeSource extends QuerySource {
  /** Whether a result that is written again surely replaces the earlier one. */
  readonly overwrites: boolean;
  accept(bucket: string, line: string, stored: StoredCallback): void;
}

/** Windows that are read together. */
export interface WindowRange {
  /** Start of the first window and end of the last: ms since 1970. */
  from: number;
  to: number;
  /** Starts of those that are to be computed. */
  starts: ReadonlySet<number>;
  series: SeriesSet;
}

export interface ComputeOptions {
  source: ComputeSource;
  signal: AbortSignal;
  /** ms since 1970 */
  now: () => number;
  /** A row that line protocol cannot carry: something else has written it. */
  unusable: (reason: string) => void;
}

export interface Counts {
  /** Rows of results: one a series and window. */
  series: number;
  /** Raw points that were read. */
  points: number;
  /** Rows that stand beside an earlier result, because it cannot be replaced. */
  corrections: number;
}

export interface Computed extends Counts {
  /** Starts of windows that were left as they are, because part of their points may be gone. */
  tooOld: ReadonlySet<number>;
}

/**
 * Reads the raw points of windows, computes, and hands the results to the queue. Resolves when they are stored.
 *
 * @throws QueryError, PackError `store-unavailable` or `queue-full`
 */
export async function computeWindows(rule: Rule, range: WindowRange, options: ComputeOptions): Promise<Computed> {
  const results = new Results((line, stored) => options.source.accept(rule.into, line, stored));
  try {
    return await compute(rule, range, results, options);
  } finally {
    await results.settled();
  }
}

async function compute(rule: Rule, range: WindowRange, results: Results, options: ComputeOptions): Promise<Computed> {
  const { source, signal, now, unusable } = options;
  const { from, to, starts, series } = range;
  const stored = source.overwrites ? new StoredResults() : await StoredResults.read(rule, range, options);
  const counts: Counts = { series: 0, points: 0, corrections: 0 };
  const tooOld = new Set<number>();
  const statement = (piece: Range): string => statementOf(rule, piece.from, piece.to, series);
  const rows = querySeries({ source, bucket: rule.bucket, statement, signal }, { from, to });
  let turn = performance.now();
  for await (const window of windowsOf(rows, rule.every)) {
    if (performance.now() - turn > TURN) {
      await setImmediate();
      turn = performance.now();
    }
    signal.throwIfAborted();
    counts.points += window.points;
    // A query that took long may have begun when all points were kept, and ended when they were not.
    if (!starts.has(window.start)) continue;
    if (window.start < now() - rule.retention) {
      tooOld.add(window.start);
      continue;
    }
    let line: string | undefined;
    try {
      const fields = resultFields(rule, window);
      const place = fields && stored.placeOf(window.tags, window.start, fields);
      if (fields && place) {
        line = resultLine(rule, window.tags, fields, place.time);
        if (place.isCorrection) counts.corrections++;
      }
    } catch (error) {
      if (!(error instanceof PackError)) throw error;
      unusable(error.message);
    }
    if (line === undefined) continue;
    counts.series++;
    await results.add(line);
  }
  await results.stored();
  for (const start of starts) if (start < now() - rule.retention) tooOld.add(start);
  return { ...counts, tooOld };
}
