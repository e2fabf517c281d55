import { headerOf, jsonOf, wordsOf, type Answer } from './outcome';
import { readRow } from './json-row';
import { quotedName } from './influxql';
import { BLOCK_ROWS, BREAKS_OFF, QueryError, queryError, withMore } from './query';
import type { QuerySource, SeriesRows, Value } from './query';
import type { RequestOptions, Transport } from './transport';

const PATH = '/api/v3/query_influxql';
const MEASUREMENT = 'iox::measurement';
const TIME = 'time';
const LINE_BREAK = 10;
/** Bytes of one row at most: a write has no more than 10 MiB, and JSON at most six bytes for one. */
const LONGEST_ROW = 64 * 1024 * 1024;
/** Milliseconds for which the answer about fields is good: a column is what it is for as long as its table is there. */
const COLUMNS_KEPT = 10_000;
/** Measurements whose fields are remembered. */
const MOST_MEASUREMENTS = 1000;

/** Columns of a measurement. */
interface Columns {
  fields: ReadonlySet<string>;
  /** Those met so far. */
  tags: Set<string>;
  /** By a clock that nobody sets. */
  askedAt: number;
}

/**
 * InfluxQL on 3.x, whose answer is a row a line. Its own `/query`, made after that of 1.x, loses types and digits.
 *
 * In a row of a statement that groups, tags and text fields look alike; SHOW FIELD KEYS, which costs no look at the data,
 * tells which are fields. Series come in an order of their own: what has no value of a tag comes last.
 */
export class LinesReader implements QuerySource {
  readonly #transport: Transport;
  readonly #columns = new Map<string, Columns>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async *query(bucket: string, statement: string, signal: AbortSignal): AsyncGenerator<SeriesRows, void, undefined> {
    try {
      yield* withMore(this.#blocks(bucket, statement, signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw queryError(error, this.#transport.host, errorOf3);
    }
  }

  async *#blocks(bucket: string, statement: string, signal: AbortSignal): AsyncGenerator<SeriesRows, void, undefined> {
    const groups = /\sGROUP\s+BY\s/i.test(statement);
    let columns: Columns | undefined;
    let block: Block | undefined;
    for await (const line of this.#lines(bucket, statement, signal)) {
      const row = rowOf(line);
      if (groups && (row.measurement !== block?.rows.measurement || !isKnown(row, columns)))
        columns = await this.#columnsOf(bucket, row, signal);
      if (block && !block.takes(row, columns)) {
        yield block.rows;
        block = undefined;
      }
      block ??= new Block(row, columns);
      block.add(row, columns);
    }
    if (block) yield block.rows;
  }

  async *#lines(bucket: string, q: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    const body = JSON.stringify({ db: bucket, q, format: 'jsonl' });
    const request: RequestOptions = {
      method: 'POST',
      path: PATH,
      body,
      headers: { 'content-type': 'application/json', accept: 'application/jsonl' },
      signal,
    };
    let pieces: Uint8Array[] = [];
    let held = 0;
    for await (const part of this.#transport.stream(request)) {
      const end = part.lastIndexOf(LINE_BREAK);
      if (end < 0) {
        pieces.push(part);
        held += part.length;
        if (held > LONGEST_ROW) throw new RangeError(`a row of more than ${LONGEST_ROW} bytes`);
        continue;
      }
      // No character of several bytes has a line break in it.
      const text = Buffer.concat([...pieces, part.subarray(0, end)]).toString();
      pieces = [part.subarray(end + 1)];
      held = part.length - end - 1;
      yield* text.split('\n');
    }
    if (held > 0) throw new QueryError('unreachable', BREAKS_OFF);
  }

  /** Of a row's measurement, with all that are in the row: a new one may have come. */
  async #columnsOf(bucket: string, row: Row, signal: AbortSignal): Promise<Columns> {
    const key = JSON.stringify([bucket, row.measurement]);
    const known = this.#columns.get(key);
    const now = performance.now();
    if (known && now - known.askedAt < COLUMNS_KEPT && isKnown(row, known)) return known;
    const fields = new Set<string>();
    const statement = `SHOW FIELD KEYS FROM ${quotedName(row.measurement)}`;
    for await (const line of this.#lines(bucket, statement, signal)) {
      readRow(line, (name, value) => {
        if (name === 'fieldKey' && typeof value === 'string') fields.add(value);
      });
    }
    const tags = new Set<string>();
    for (const [name, value] of row.values) if (typeof value === 'string' && !fields.has(name)) tags.add(name);
    if (this.#columns.size >= MOST_MEASUREMENTS) this.#columns.clear();
    const columns = { fields, tags, askedAt: now };
    this.#columns.set(key, columns);
    return columns;
  }
}

function isKnown({ values }: Row, columns: Columns | undefined): boolean {
  if (columns === undefined) return false;
  const { fields, tags } = columns;
  return values.every(([name, value]) => typeof value !== 'string' || tags.has(name) || fields.has(name));
}

/** A line of the answer: its columns but for measurement and time. */
interface Row {
  measurement: string;
  time: bigint | undefined;
  values: [name: string, value: Value][];
}

function rowOf(line: string): Row {
  const row: Row = { measurement: '', time: undefined, values: [] };
  readRow(line, (name, value) => {
    if (name === MEASUREMENT) row.measurement = String(value);
    else if (name === TIME) row.time = nanosecondsOf(value);
    else if (value !== null) row.values.push([name, value]);
  });
  return row;
}

/** @param columns - undefined where the statement does not group, so that there are no tags */
function isTag(name: string, value: Value, columns: Columns | undefined): value is string {
  return columns !== undefined && typeof value === 'string' && !columns.fields.has(name);
}

/** Rows of one series, which may lack some of their columns: 3.x leaves out what is null. */
class Block {
  readonly rows: SeriesRows;
  readonly #places = new Map<string, number>();
  readonly #tags = new Map<string, string>();

  constructor({ measurement, values }: Row, columns: Columns | undefined) {
    for (const [name, value] of values) if (isTag(name, value, columns)) this.#tags.set(name, value);
    this.rows = { measurement, tags: Object.fromEntries(this.#tags), columns: [], times: [], rows: [], more: false };
  }

  takes({ measurement, values }: Row, columns: Columns | undefined): boolean {
    if (measurement !== this.rows.measurement || this.rows.rows.length >= BLOCK_ROWS) return false;
    let tags = 0;
    for (const [name, value] of values) {
      if (!isTag(name, value, columns)) continue;
      if (this.#tags.get(name) !== value) return false;
      tags += 1;
    }
    return tags === this.#tags.size;
  }

  add({ time, values }: Row, columns: Columns | undefined): void {
    const row = new Array<Value>(this.rows.columns.length).fill(null);
    for (const [name, value] of values) if (!isTag(name, value, columns)) row[this.#place(name)] = value;
    this.rows.rows.push(row);
    if (time !== undefined) this.rows.times.push(time);
  }

  #place(name: string): number {
    let place = this.#places.get(name);
    if (place !== undefined) return place;
    place = this.rows.columns.push(name) - 1;
    this.#places.set(name, place);
    for (const row of this.rows.rows) row.push(null);
    return place;
  }
}

const MOMENT = /^(-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z?$/;

/** `2026-12-01T00:00:00.000000001`, which is UTC. */
function nanosecondsOf(value: Value): bigint {
  const [, seconds, fraction = ''] = (typeof value === 'string' ? MOMENT.exec(value) : null) ?? [];
  const milliseconds = Date.parse(`${seconds ?? ''}Z`);
  if (Number.isNaN(milliseconds)) throw new RangeError(`no time: ${JSON.stringify(String(value))}`);
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Of one query: files that Core reads at most, or memory. Both are for a narrower time range to put right. */
const TOO_LARGE = /exceeding the file limit|Resources exhausted/;

/** Up to 3.8 whatever is wrong with a statement has status 500. */
function errorOf3(answer: Answer): QueryError | undefined {
  const words = wordsOf(answer);
  if (answer.status !== 400 && answer.status !== 404 && answer.status < 500) return undefined;
  if (words.includes('database not found')) return new QueryError('not-found', words);
  if (TOO_LARGE.test(words)) return new QueryError('too-large', words);
  const isProxy = jsonOf(answer) === undefined && /^text\/html/.test(headerOf(answer, 'content-type') ?? '');
  if (isProxy || !ABOUT_STATEMENT.test(words)) return undefined;
  return new QueryError('statement', words);
}

const ABOUT_STATEMENT =
  /^(?:query error: )?(?:error while planning query|error in InfluxQL statement)|InfluxQ[lL]|parsing error/;
