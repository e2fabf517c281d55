import { QueryError, type QuerySource, type SeriesRows, type Value } from '../influx/query';
import { queryInPieces, type Range } from '../influx/query-range';
import type { FieldValue } from '../point';
import type { Rule } from './rules';
import { nanoseconds, resultStatement } from './statement';
import type { SeriesSet } from './mark';

/**
 * Where the last write does not surely win, a result is never written over another. What late points change is a row of its
 * own, so many nanoseconds after the start of the window: the latest row of a window is the one that counts.
 */
const MOST_REVISIONS = 1_000_000n;

interface Latest {
  revision: bigint;
  fields: ReadonlyMap<string, number>;
}

/** The results of some windows that InfluxDB has, the latest of each window and series. */
export class StoredResults {
  readonly #rows = new Map<string, Latest>();

  /**
   * Reads them.
   *
   * @param range - start of the first window and end of the last: ms since 1970
   * @throws QueryError
   */
  static async read(
    rule: Rule,
    range: { from: number; to: number; series: SeriesSet },
    { source, signal }: { source: QuerySource; signal: AbortSignal },
  ): Promise<StoredResults> {
    const results = new StoredResults();
    const { series } = range;
    const statement = ({ from, to }: Range): string => resultStatement(rule, from, to, series);
    try {
      const blocks = queryInPieces({ source, bucket: rule.into, statement, signal }, range);
      for await (const block of blocks) results.#add(rule.every, block);
    } catch (error) {
      // The first result makes the database.
      if (!(error instanceof QueryError) || !/database not found/i.test(error.message)) throw error;
    }
    return results;
  }

  /**
   * The time of a result, in nanoseconds since 1970; undefined when InfluxDB has it.
   *
   * @param start - of the window: ms since 1970
   */
  placeOf(
    tags: Readonly<Record<string, string>>,
    start: number,
    fields: Readonly<Record<string, FieldValue>>,
  ): { time: string; isCorrection: boolean } | undefined {
    const latest = this.#rows.get(keyOf(tags, start));
    if (latest === undefined) return { time: nanoseconds(start), isCorrection: false };
    const names = Object.keys(fields);
    if (names.length === latest.fields.size && names.every((name) => latest.fields.get(name) === fields[name]?.value))
      return undefined;
    const time = BigInt(start) * 1_000_000n + latest.revision + 1n;
    return { time: String(time), isCorrection: true };
  }

  #add(every: number, { tags, columns, times, rows }: SeriesRows): void {
    const length = BigInt(every) * 1_000_000n;
    for (const [index, time] of times.entries()) {
      const revision = time % length;
      // What lies further in a window is no result of these windows.
      if (revision >= MOST_REVISIONS) continue;
      const key = keyOf(tags, Number((time - revision) / 1_000_000n));
      const known = this.#rows.get(key);
      if (known !== undefined && known.revision > revision) continue;
      this.#rows.set(key, { revision, fields: numbersOf(columns, rows[index] ?? []) });
    }
  }
}

function keyOf(tags: Readonly<Record<string, string>>, start: number): string {
  const named = Object.entries(tags).filter(([, value]) => value !== '');
  return JSON.stringify([start, ...named.sort(([a], [b]) => (a < b ? -1 : 1))]);
}

function numbersOf(columns: readonly string[], row: readonly (Value | undefined)[]): Map<string, number> {
  const fields = new Map<string, number>();
  for (const [index, name] of columns.entries()) {
    const value = row[index];
    if (typeof value === 'number' || typeof value === 'bigint') fields.set(name, Number(value));
  }
  return fields;
}
