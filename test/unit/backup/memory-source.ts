import type { QuerySource, SeriesRows, Value } from '../../../nodes/lib/influx/query';
import type { WriteOutcome } from '../../../nodes/lib/influx/outcome';
import { parseLine } from '../../../nodes/lib/influx/parse-line';
import { LineSplitter, timeOf } from '../../../nodes/lib/backup/lines';
import type { FieldValue } from '../../../nodes/lib/point';

interface Row {
  measurement: string;
  tags: Record<string, string>;
  series: string;
  time: bigint;
  fields: Record<string, FieldValue>;
}

function valueOf({ type, value }: FieldValue): Value {
  return type === 'integer' ? BigInt(value) : value;
}

/** Holds one bucket's points in memory, and reads and writes them as InfluxDB does. */
export class MemorySource implements QuerySource {
  readonly batchLines = 100;
  readonly lines = new Map<string, string>();
  readonly statements: string[] = [];
  /** Called before each statement; may throw. */
  before: (statement: string) => void = () => undefined;
  /** What a write is answered; default: written. */
  answer: (body: string) => WriteOutcome = () => ({ kind: 'written' });

  add(...lines: string[]): void {
    for (const line of lines) this.lines.set(this.#key(line), line);
  }

  remove(wanted: (time: bigint, line: string) => boolean): void {
    for (const [key, line] of this.lines) if (wanted(timeOf(line), line)) this.lines.delete(key);
  }

  sorted(): string[] {
    return [...this.lines.values()].sort();
  }

  write(_bucket: string, body: string): Promise<WriteOutcome> {
    const outcome = this.answer(body);
    if (outcome.kind === 'written') this.add(...new LineSplitter().push(`${body}\n`));
    return Promise.resolve(outcome);
  }

  async *query(_bucket: string, statement: string): AsyncGenerator<SeriesRows, void, undefined> {
    this.statements.push(statement);
    this.before(statement);
    await Promise.resolve();
    const rows = [...this.lines.values()].map((line) => this.#row(line));
    if (statement === 'SHOW FIELD KEYS') {
      yield* this.#fieldKeys(rows);
      return;
    }
    const [, selection, name, from, to] =
      /^SELECT (.+) FROM "(.+)" WHERE time >= (-?\d+) AND time < (-?\d+) GROUP BY \*$/s.exec(statement) ?? [];
    if (name === undefined || from === undefined || to === undefined) throw new Error(`unexpected: ${statement}`);
    const isSelected = (field: string): boolean =>
      selection === '*' || selection?.includes(`"${field}"::field`) === true;
    const found = rows
      .filter((row) => row.measurement === name.replace(/\\(["\\])/g, '$1'))
      .filter((row) => row.time >= BigInt(from) && row.time < BigInt(to))
      .sort((a, b) => (a.series === b.series ? Number(a.time - b.time) : a.series < b.series ? -1 : 1));
    for (const row of found) {
      const columns = Object.keys(row.fields).filter(isSelected).sort();
      if (columns.length === 0) continue;
      const values = columns.map((column) => valueOf(row.fields[column] as FieldValue));
      const { measurement, time } = row;
      // InfluxDB gives tags in any order.
      const pairs = Object.entries(row.tags);
      const tags = Object.fromEntries(this.statements.length % 2 === 0 ? pairs : pairs.reverse());
      yield { measurement, tags, columns, times: [time], rows: [values], more: false };
    }
  }

  *#fieldKeys(rows: readonly Row[]): Generator<SeriesRows> {
    for (const measurement of new Set(rows.map((row) => row.measurement))) {
      const types = new Set<string>();
      for (const row of rows) {
        if (row.measurement !== measurement) continue;
        for (const [name, { type }] of Object.entries(row.fields)) types.add(JSON.stringify([name, type]));
      }
      const columns = ['fieldKey', 'fieldType'];
      yield {
        measurement,
        tags: {},
        columns,
        times: [],
        rows: [...types].map((pair) => JSON.parse(pair) as string[]),
        more: false,
      };
    }
  }

  #row(line: string): Row {
    const { measurement, tags, fields, time } = parseLine(line);
    const series = JSON.stringify(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)));
    return { measurement, tags, series, time: BigInt(time), fields };
  }

  #key(line: string): string {
    const { measurement, series, time } = this.#row(line);
    return JSON.stringify([measurement, series, time.toString()]);
  }
}
