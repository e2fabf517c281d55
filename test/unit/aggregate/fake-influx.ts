import { QueryError, type QuerySource, type SeriesRows, type Value } from '../../../nodes/lib/influx/query';
import { parseLine } from '../../../nodes/lib/influx/parse-line';
import { aggregate, type Aggregates } from '../../../nodes/lib/aggregate/functions';
import type { Rule } from '../../../nodes/lib/aggregate/rules';

interface StoredRow {
  measurement: string;
  tags: Record<string, string>;
  time: bigint;
  fields: Record<string, Value>;
}

/** As much of an InfluxDB as aggregation needs, in memory: points overwrite each other, and rows can be read. */
export class FakeInflux implements QuerySource {
  readonly #rows = new Map<string, Map<string, StoredRow>>();
  /** Rows in a block. */
  blockRows = 3;
  /** Why an answer breaks off here, if it does. */
  breaksOff = (): QueryError['code'] | undefined => undefined;
  queries: string[] = [];
  /**
   * Whether a point replaces the one that is there with other values. On 3.x, while both are in the write buffer, that is a
   * toss of a coin for ever.
   */
  wins = (): boolean => true;
  /** By bucket, how often there was a question of that. */
  readonly overwritten = new Map<string, number>();

  write(bucket: string, lines: readonly string[]): void {
    const rows = this.#rows.get(bucket) ?? new Map<string, StoredRow>();
    this.#rows.set(bucket, rows);
    for (const line of lines) {
      const { measurement, tags, fields, time } = parseLine(line);
      const key = `${measurement} ${JSON.stringify(tags)} ${time}`;
      const known = rows.get(key);
      const row = known ?? { measurement, tags, time: BigInt(time), fields: {} };
      const values = Object.entries(fields).map(
        ([name, { type, value }]) => [name, type === 'integer' ? BigInt(value) : value] as const,
      );
      if (known !== undefined && values.some(([name, value]) => known.fields[name] !== value)) {
        this.overwritten.set(bucket, 1 + (this.overwritten.get(bucket) ?? 0));
        if (!this.wins()) continue;
      }
      for (const [name, value] of values) row.fields[name] = value;
      rows.set(key, row);
    }
  }

  /** Of a bucket, by series and time. */
  rows(bucket: string): StoredRow[] {
    return [...(this.#rows.get(bucket)?.values() ?? [])];
  }

  async *query(bucket: string, statement: string, signal: AbortSignal): AsyncGenerator<SeriesRows, void, undefined> {
    this.queries.push(statement);
    const [, columns = '', measurement = '', from = '0', to = '0', condition = ''] =
      /^SELECT (.+) FROM "(\w+)" WHERE time >= (\d+) AND time < (\d+)(.*) GROUP BY \*$/.exec(statement) ?? [];
    const names = columns.split(', ').map((name) => name.slice(1, -1));
    const wanted = [...condition.matchAll(/\(?"(\w+)"::tag = '(\w+)'\)/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]);
    const series = new Map<string, StoredRow[]>();
    for (const row of this.rows(bucket)) {
      if (row.measurement !== measurement || row.time < BigInt(from) || row.time >= BigInt(to)) continue;
      if (condition !== '' && !wanted.some(([name = '', value]) => row.tags[name] === value)) continue;
      const key = JSON.stringify(row.tags);
      series.set(key, [...(series.get(key) ?? []), row]);
    }
    for (const rows of series.values()) {
      rows.sort((a, b) => Number(a.time - b.time));
      for (let at = 0; at < rows.length; at += this.blockRows) {
        await new Promise(setImmediate);
        signal.throwIfAborted();
        const fault = this.breaksOff();
        if (fault !== undefined) throw new QueryError(fault, 'the answer breaks off');
        const block = rows.slice(at, at + this.blockRows);
        yield {
          measurement,
          tags: rows[0]?.tags ?? {},
          columns: names,
          times: block.map(({ time }) => time),
          rows: block.map(({ fields }) => names.map((name) => fields[name] ?? null)),
          more: at + this.blockRows < rows.length,
        };
      }
    }
  }
}

/** What must be in the target bucket of a rule, by series and start of the window in milliseconds. */
export function expectedResults(influx: FakeInflux, rule: Rule): Record<string, Record<string, number>> {
  const windows = new Map<string, Map<string, [bigint, number][]>>();
  for (const { measurement, tags, time, fields } of influx.rows(rule.bucket)) {
    if (measurement !== rule.measurement) continue;
    const length = BigInt(rule.every) * 1_000_000n;
    const key = `${JSON.stringify(tags)} ${String((time - (time % length)) / 1_000_000n)}`;
    const window = windows.get(key) ?? new Map<string, [bigint, number][]>();
    windows.set(key, window);
    for (const field of rule.fields.keys()) {
      const value = fields[field];
      if (value !== undefined) window.set(field, [...(window.get(field) ?? []), [time, Number(value)]]);
    }
  }
  const expected: Record<string, Record<string, number>> = {};
  for (const [key, window] of windows) {
    for (const [field, values] of window) {
      const row = (expected[key] ??= {});
      const numbers = values.sort(([a], [b]) => Number(a - b)).map(([, value]) => value);
      const aggregates: Aggregates = aggregate(numbers, rule.fields.get(field) ?? []);
      for (const [name, value] of Object.entries(aggregates)) row[`${field}_${name}`] = value;
    }
  }
  return expected;
}

/** What is in the target bucket of a rule, in the same form; of several results of one window, the latest. */
export function storedResults(influx: FakeInflux, rule: Rule): Record<string, Record<string, Value>> {
  const stored: Record<string, Record<string, Value>> = {};
  const rows = influx.rows(rule.into).sort((a, b) => Number(a.time - b.time));
  for (const { measurement, tags, time, fields } of rows) {
    if (measurement === rule.measurement) stored[`${JSON.stringify(tags)} ${String(time / 1_000_000n)}`] = fields;
  }
  return stored;
}
