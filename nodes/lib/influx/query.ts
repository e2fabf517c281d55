import { connectionFault } from './connection-fault';
import { decodeMsgpack, DocumentSplitter, type MsgpackValue } from './msgpack';
import { headerOf, jsonOf, wordsOf, type Answer } from './outcome';
import { AnswerError, type Transport } from './transport';

/** A field value as InfluxDB has it: an integer is a bigint and a float a number, so that types survive. */
export type Value = number | bigint | string | boolean | null;

/** Rows of one series, a block of them at a time. */
export interface SeriesRows {
  measurement: string;
  /** Tags that the series has not are left out. */
  tags: Record<string, string>;
  /** Names of the values in a row, without `time`. */
  columns: string[];
  /** Nanoseconds, one a row; none where a statement gives no times. */
  times: bigint[];
  rows: Value[][];
  /** The same series goes on in the next block. */
  more: boolean;
}

/** Where rows can be read by InfluxQL. */
export interface QuerySource {
  /**
   * Answers a statement that reads, a block of rows after the other; the server waits while a block is worked on. FROM
   * names the measurement only.
   *
   * @throws QueryError, or the signal's reason once that is aborted
   */
  query(bucket: string, statement: string, signal: AbortSignal): AsyncIterable<SeriesRows>;
}

/** Why a statement has no answer, or none to its end. `message` holds the server's own words. */
export class QueryError extends Error {
  /** `too-large`: the server does not answer for so much time at once; for less it may. */
  readonly code: 'unreachable' | 'timeout' | 'unauthorized' | 'forbidden' | 'not-found' | 'statement' | 'too-large';

  constructor(code: QueryError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'QueryError';
    this.code = code;
  }
}

/** Rows in a block at most, so that memory stays bounded however long a series is. */
export const BLOCK_ROWS = 5000;

export const BREAKS_OFF = 'the answer breaks off before its end';

/** The `/query` endpoint of 1.x and 2.x, with what it is that names a bucket. */
export class QueryEndpoint implements QuerySource {
  readonly #transport: Transport;
  readonly #place: (bucket: string) => Record<string, string>;

  /** @param place - the parameters that name the bucket */
  constructor(transport: Transport, place: (bucket: string) => Record<string, string>) {
    this.#transport = transport;
    this.#place = place;
  }

  async *query(bucket: string, statement: string, signal: AbortSignal): AsyncGenerator<SeriesRows, void, undefined> {
    try {
      yield* withMore(this.#blocks(bucket, statement, signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw queryError(error, this.#transport.host);
    }
  }

  async *#blocks(bucket: string, statement: string, signal: AbortSignal): AsyncGenerator<SeriesRows, void, undefined> {
    // JSON would lose the difference between float and integer, and digits of both times and integers.
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/x-msgpack' };
    const parameters = { ...this.#place(bucket), epoch: 'ns', chunked: 'true', chunk_size: String(BLOCK_ROWS) };
    const body = new URLSearchParams({ ...parameters, q: statement }).toString();
    const splitter = new DocumentSplitter();
    let documents = 0;
    let goesOn = false;
    for await (const part of this.#transport.stream({ method: 'POST', path: '/query', body, headers, signal })) {
      for (const document of splitter.push(part)) {
        documents += 1;
        goesOn = yield* blocksOf(decodeMsgpack(document));
      }
    }
    // Without a length, or chunks, of its own an answer can end between two documents unseen.
    if (splitter.isWithin || goesOn || documents === 0) throw new QueryError('unreachable', BREAKS_OFF);
  }
}

/** Says of each block whether its series goes on in the next one. */
export async function* withMore(
  blocks: AsyncIterable<SeriesRows>,
  signal: AbortSignal,
): AsyncGenerator<SeriesRows, void, undefined> {
  let previous: SeriesRows | undefined;
  for await (const block of blocks) {
    if (previous) yield { ...previous, more: isSameSeries(previous, block) };
    signal.throwIfAborted();
    previous = block;
  }
  if (previous) yield previous;
}

function isSameSeries(a: SeriesRows, b: SeriesRows): boolean {
  if (a.measurement !== b.measurement) return false;
  const names = Object.keys(a.tags);
  return names.length === Object.keys(b.tags).length && names.every((name) => a.tags[name] === b.tags[name]);
}

/** Returns whether another document must follow. */
function* blocksOf(document: MsgpackValue): Generator<SeriesRows, boolean, undefined> {
  const answer = mapOf(document);
  throwError(answer);
  // The page of a proxy must not pass for an answer without rows.
  if (!answer.has('results')) throw new RangeError('it holds no results');
  let goesOn = false;
  for (const result of listOf(answer.get('results')).map(mapOf)) {
    throwError(result);
    goesOn = result.get('partial') === true;
    for (const series of listOf(result.get('series')).map(mapOf)) {
      yield blockOf(series);
      goesOn ||= series.get('partial') === true;
    }
  }
  return goesOn;
}

function blockOf(series: ReadonlyMap<string, MsgpackValue>): SeriesRows {
  const columns = listOf(series.get('columns')).map(String);
  const rows = listOf(series.get('values')) as Value[][];
  const times: bigint[] = [];
  if (columns[0] === 'time') {
    columns.shift();
    for (const row of rows) times.push(row.shift() as bigint);
  }
  const tags = [...mapOf(series.get('tags'))].filter((tag): tag is [string, string] => Boolean(tag[1]));
  const name = series.get('name');
  const measurement = typeof name === 'string' ? name : '';
  return { measurement, tags: Object.fromEntries(tags), columns, times, rows, more: false };
}

/** What may be missing in an answer is an empty map, or list. */
function mapOf(value: MsgpackValue | undefined): ReadonlyMap<string, MsgpackValue> {
  return value instanceof Map ? value : new Map<string, MsgpackValue>();
}

function listOf(value: MsgpackValue | undefined): MsgpackValue[] {
  return Array.isArray(value) ? value : [];
}

/** Errors of a statement come inside an answer of status 200. */
function throwError(part: ReadonlyMap<string, MsgpackValue>): void {
  const error = part.get('error');
  if (typeof error === 'string') throw new QueryError(codeOfStatementError(error), error);
}

function codeOfStatementError(words: string): QueryError['code'] {
  if (/^(?:database|retention policy) not found/.test(words)) return 'not-found';
  if (words.includes('not authorized')) return 'forbidden';
  return words.includes('timeout') ? 'timeout' : 'statement';
}

/** @param ofAnswer - what the version means by an answer of status 300 or more; undefined: what all mean */
export function queryError(
  error: unknown,
  host: string,
  ofAnswer: (answer: Answer) => QueryError | undefined = () => undefined,
): QueryError {
  if (error instanceof QueryError) return error;
  if (error instanceof AnswerError) return ofAnswer(error.answer) ?? errorOfAnswer(error.answer);
  if (error instanceof RangeError)
    return new QueryError('unreachable', `${host} does not answer as InfluxDB does: ${error.message}`);
  const { code, message } = connectionFault(error, host);
  return new QueryError(code === 'timeout' ? 'timeout' : 'unreachable', message, { cause: error });
}

function errorOfAnswer(answer: Answer): QueryError {
  const { status } = answer;
  const said = jsonOf(answer) ? wordsOf(answer) : (headerOf(answer, 'x-influxdb-error') ?? '');
  const words = said === '' ? `the server answers HTTP ${status}` : said;
  switch (status) {
    case 401:
      return new QueryError('unauthorized', words);
    case 403:
      return new QueryError('forbidden', words);
    case 404:
      return new QueryError('not-found', words);
    case 400:
      return new QueryError('statement', words);
    default:
      return new QueryError('unreachable', words);
  }
}
