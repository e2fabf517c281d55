import { reasonOf } from '../errors';
import { quotedName } from '../influx/influxql';
import { lineOf } from '../influx/line-protocol';
import { queryInPieces, type Range } from '../influx/query-range';
import type { QuerySource, SeriesRows, Value } from '../influx/query';
import type { FieldValue, Point } from '../point';
import { HOURS, hourOf, startOf, type Day } from './days';
import type { HourLines } from './hours';
import { LONGEST_LINE } from './lines';

/** Rows of an answer from which on the next one is for a single hour, and up to which it may be for many. */
const MANY_ROWS = 100_000;
const FEW_ROWS = 10_000;
const GROWTH = 8;
/** Milliseconds for which the answer about measurements and types is good. */
const ASK_INTERVAL = 1000;

/** Measurements that InfluxQL does not take by their name: 1.x and 2.x have their own of these. */
const ONLY_BY_PATTERN: ReadonlySet<string> = new Set(['_name', '_tagKey', '_measurements', '_tags']);
/** It answers nothing for these in any form. */
const UNREADABLE: ReadonlySet<string> = new Set(['_fieldKeys', '_tagKeys', '_series']);
/** Fields for which it answers with something of its own, or nothing, also in place of the others that are asked for. */
const UNREADABLE_FIELDS: ReadonlySet<string> = new Set(['_name', '_fieldKey', '_tagKey', '_tagValue', '_seriesKey']);

/** What InfluxDB holds and does not give out. */
export interface Unreadable {
  measurement: string;
  reason: string;
}

interface Measurement {
  name: string;
  /** What to ask for: all fields, or the ones that can be read. */
  selection: string;
  /** A field has one type in one shard and another in the next. */
  hasMixedTypes: boolean;
}

/** What of the rows line protocol cannot carry. */
export interface Omission {
  /** That are left out. */
  points: number;
  /** That are left out of points which are there. */
  fields: number;
  /** For one of them. */
  reason: string;
}

export type Omitted = (omission: Omission) => void;

/** Adds up what is left out. */
export class Omissions {
  #sum: Omission | undefined;

  readonly add = ({ points, fields, reason }: Omission): void => {
    const { points: morePoints = 0, fields: moreFields = 0 } = this.#sum ?? {};
    this.#sum = { points: points + morePoints, fields: fields + moreFields, reason };
  };

  get sum(): Omission | undefined {
    return this.#sum;
  }
}

/** Reads days of a bucket from InfluxDB: exact types and times, in bounded memory. */
export class DayReader {
  readonly #source: QuerySource;
  readonly #bucket: string;
  readonly #signal: AbortSignal;
  /** Hours that are asked for at once, by measurement: so that rare points do not cost 24 requests a day. */
  readonly #spans = new Map<string, number>();
  readonly #unreadable = new Map<string, string>();
  #known: readonly Measurement[] = [];
  #askedAt = -Infinity;

  constructor(source: QuerySource, bucket: string, signal: AbortSignal) {
    this.#source = source;
    this.#bucket = bucket;
    this.#signal = signal;
  }

  /** What was met so far. */
  get unreadable(): Unreadable[] {
    return [...this.#unreadable].map(([measurement, reason]) => ({ measurement, reason }));
  }

  /**
   * The points of a day that lie in the hours, by measurement within each hour.
   *
   * @throws QueryError, or the signal's reason
   */
  async *read(day: Day, hours: ReadonlySet<number>, omitted: Omitted): AsyncGenerator<HourLines, void, undefined> {
    for (const { name, selection, hasMixedTypes } of await this.#measurements()) {
      for (let hour = next(hours, 0); hour < HOURS;) {
        // InfluxDB keeps types by shard. In a stretch with shards of several types it would make floats of integers and leave
        // out strings; a shard is never shorter than an hour.
        const end = endOfRun(hours, hour, hasMixedTypes ? 1 : (this.#spans.get(name) ?? 1));
        const statement = ({ from, to }: Range): string =>
          `SELECT ${selection} FROM ${sourceOf(name)} ` +
          `WHERE time >= ${BigInt(from) * 1_000_000n} AND time < ${BigInt(to) * 1_000_000n} GROUP BY *`;
        const query = { source: this.#source, bucket: this.#bucket, statement, signal: this.#signal };
        const range = { from: millisecondsOf(day, hour), to: millisecondsOf(day, end) };
        let rows = 0;
        for await (const block of queryInPieces(query, range)) {
          rows += block.rows.length;
          yield* linesOf(block, startOf(day), omitted);
        }
        this.#learn(name, rows);
        hour = next(hours, end);
      }
    }
  }

  #learn(name: string, rows: number): void {
    const span = this.#spans.get(name) ?? 1;
    if (rows > MANY_ROWS) this.#spans.set(name, 1);
    else if (rows < FEW_ROWS) this.#spans.set(name, Math.min(HOURS, span * GROWTH));
  }

  /** Asked anew while a backup goes on: a measurement or a type may have come since. */
  async #measurements(): Promise<readonly Measurement[]> {
    // Not the clock: it may be put back.
    const now = performance.now();
    if (now - this.#askedAt < ASK_INTERVAL) return this.#known;
    this.#known = await this.#askForMeasurements();
    this.#askedAt = now;
    return this.#known;
  }

  /** In an order that does not depend on the server. */
  async #askForMeasurements(): Promise<Measurement[]> {
    const fields = new Map<string, Map<unknown, Set<unknown>>>();
    for await (const { measurement, rows } of this.#source.query(this.#bucket, 'SHOW FIELD KEYS', this.#signal)) {
      const types = fields.get(measurement) ?? new Map<unknown, Set<unknown>>();
      fields.set(measurement, types);
      for (const [field, type] of rows) types.set(field, (types.get(field) ?? new Set()).add(type));
    }
    return [...fields]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([name, types]) => this.#readable(name, types));
  }

  /** None when nothing of it can be read. */
  #readable(name: string, types: ReadonlyMap<unknown, ReadonlySet<unknown>>): Measurement[] {
    const hasMixedTypes = [...types.values()].some(({ size }) => size > 1);
    const names = [...types.keys()].map(String);
    const isWhole = !UNREADABLE.has(name);
    const readable = isWhole ? names.filter((field) => !UNREADABLE_FIELDS.has(field)) : [];
    if (readable.length === names.length) return [{ name, selection: '*', hasMixedTypes }];
    const hidden = names.filter((field) => UNREADABLE_FIELDS.has(field)).map((field) => `"${field}"`);
    const what = isWhole ? `of "${name}" the field ${hidden.join(', ')}` : `the measurement "${name}"`;
    this.#unreadable.set(name, `InfluxDB does not give out ${what}: it has its own of that name`);
    if (readable.length === 0) return [];
    return [{ name, selection: readable.map((field) => `${quotedName(field)}::field`).join(', '), hasMixedTypes }];
  }
}

/** A measurement in a FROM clause. */
function sourceOf(name: string): string {
  return ONLY_BY_PATTERN.has(name) ? `/^${name}$/` : quotedName(name);
}

function millisecondsOf(day: Day, hour: number): number {
  return Number(startOf(day, hour) / 1_000_000n);
}

/** The first of the hours that is not before `from`; 24 when there is none. */
function next(hours: ReadonlySet<number>, from: number): number {
  let hour = from;
  while (hour < HOURS && !hours.has(hour)) hour += 1;
  return hour;
}

/** The end of what can be asked for at once from `hour` on. */
function endOfRun(hours: ReadonlySet<number>, hour: number, span: number): number {
  let end = hour + 1;
  while (end < hour + span && hours.has(end)) end += 1;
  return end;
}

function* linesOf(block: SeriesRows, start: bigint, omitted: Omitted): Generator<HourLines> {
  const { measurement, columns, times, rows } = block;
  // InfluxDB gives them in another order each time; equal points must be equal lines.
  const tags = Object.fromEntries(Object.entries(block.tags).sort(([one], [other]) => (one < other ? -1 : 1)));
  let portion: HourLines | undefined;
  for (const [index, time] of times.entries()) {
    const { fields, tooLarge } = fieldsOf(columns, rows[index] ?? []);
    if (tooLarge.length > 0) {
      const reason = `the field "${tooLarge[0] ?? ''}" of "${measurement}" is larger than ${LARGEST_INTEGER}`;
      const isAll = Object.keys(fields).length === 0;
      omitted({ points: isAll ? 1 : 0, fields: isAll ? 0 : tooLarge.length, reason });
      if (isAll) continue;
    }
    const line = lineOrNot({ bucket: '', measurement, tags, fields, time: time.toString() }, omitted);
    if (line === undefined) continue;
    const hour = hourOf(time, start);
    if (hour < 0 || hour >= HOURS) {
      const reason = `InfluxDB answers for "${measurement}" with a row of a time that was not asked for`;
      omitted({ points: 1, fields: 0, reason });
      continue;
    }
    if (portion?.hour === hour) {
      portion.lines.push(line);
      // Rows of a series are in the order of time.
      portion.last = time;
      continue;
    }
    if (portion) yield portion;
    portion = { hour, lines: [line], first: time, last: time };
  }
  if (portion) yield portion;
}

function lineOrNot(point: Point, omitted: Omitted): string | undefined {
  try {
    const line = lineOf(point);
    if (line.length <= LONGEST_LINE) return line;
    // No copy holds what its reader would refuse.
    omitted({
      points: 1,
      fields: 0,
      reason: `a point of "${point.measurement}" has more than ${LONGEST_LINE} characters`,
    });
  } catch (error) {
    omitted({ points: 1, fields: 0, reason: reasonOf(error) });
  }
  return undefined;
}

/** An unsigned integer of 2.x or 3.x can be larger: an integer cannot hold it. */
const LARGEST_INTEGER = 2n ** 63n - 1n;

function fieldsOf(
  columns: readonly string[],
  row: readonly Value[],
): { fields: Record<string, FieldValue>; tooLarge: string[] } {
  const fields: Record<string, FieldValue> = {};
  const tooLarge: string[] = [];
  for (const [index, name] of columns.entries()) {
    const value = row[index];
    if (value === null || value === undefined) continue;
    if (typeof value === 'bigint' && value > LARGEST_INTEGER) tooLarge.push(name);
    else fields[name] = fieldOf(value);
  }
  return { fields, tooLarge };
}

function fieldOf(value: Exclude<Value, null>): FieldValue {
  switch (typeof value) {
    case 'bigint':
      return { type: 'integer', value };
    case 'number':
      return { type: 'float', value };
    case 'boolean':
      return { type: 'boolean', value };
    case 'string':
      return { type: 'string', value };
  }
}
