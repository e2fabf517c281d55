import {
  commonOutcome,
  jsonOf,
  reasonOfAnswer,
  wordsOf,
  type Answer,
  type RefusedLine,
  type WriteOutcome,
} from './outcome';
import { bodyForVersion3 } from './line-for-version-3';
import { KeeperProvisioner, type Provisioner } from './provision';
import { Databases } from './provision3';
import type { SeriesRows } from './query';
import { LinesReader } from './query3';
import type { ConnectOptions, InfluxServer } from './server';
import { answersPing, failed, passed, pingedVersion, tested, unexpected, type TestResult } from './test-result';
import { Transport } from './transport';
import { WriteEndpoint } from './write-endpoint';

/** Each answer waits until the write-ahead log is flushed, about once a second: larger batches are what makes 3.x fast. */
const BATCH_LINES = 25_000;

/** What 3.x says of lines, as opposed to the request as a whole. */
const ABOUT_LINES = /partial write of line protocol|parsing failed for write_lp/;

function refusedLines(data: unknown): RefusedLine[] | undefined {
  if (!Array.isArray(data)) return undefined;
  const lines: RefusedLine[] = [];
  for (const entry of data as ({ line_number?: unknown; error_message?: unknown } | null | undefined)[]) {
    const { line_number: number, error_message: reason } = entry ?? {};
    if (typeof number !== 'number' || typeof reason !== 'string') return undefined;
    lines.push({ index: number - 1, reason });
  }
  return lines;
}

function outcomeOf(answer: Answer): WriteOutcome | undefined {
  if (answer.status === 400 || answer.status === 422) {
    const data = jsonOf(answer)?.['data'];
    const lines = refusedLines(data);
    if (lines) return { kind: 'partly-written', reason: lines[0]?.reason ?? wordsOf(answer), lines };
    // One line, the first bad one: how a write is refused that may not be partly done.
    const single = refusedLines([data]);
    if (single?.[0]) return { kind: 'refused', reason: single[0].reason };
    // About lines, but cut off on its way, or in a form that is not known: which ones is to be found out.
    if (ABOUT_LINES.test(answer.body)) return { kind: 'refused', reason: reasonOfAnswer(answer) };
  }
  return commonOutcome(answer);
}

/** 3.x: a bucket is a database. */
class Influx3 implements InfluxServer {
  /** Of two versions of a point in one write buffer, either may stay. */
  readonly overwrites = false;
  readonly batchLines = BATCH_LINES;
  readonly #transport: Transport;
  readonly #endpoint: WriteEndpoint;
  readonly #reader: LinesReader;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#endpoint = new WriteEndpoint(transport, {
      path: (bucket) =>
        `/api/v3/write_lp?${new URLSearchParams({ db: bucket, precision: 'nanosecond', accept_partial: 'true' }).toString()}`,
      outcomeOf,
      acceptsEmpty: false,
    });
    this.#reader = new LinesReader(transport);
  }

  write(bucket: string, body: string, signal: AbortSignal): Promise<WriteOutcome> {
    return this.#endpoint.write(bucket, bodyForVersion3(body), signal);
  }

  query(bucket: string, statement: string, signal: AbortSignal): AsyncIterable<SeriesRows> {
    return this.#reader.query(bucket, statement, signal);
  }

  /** A write without points would create the database, so the list of databases is asked for. */
  test(bucket?: string): Promise<TestResult> {
    return tested(this.#transport.host, async () => {
      const version = await pingedVersion(this.#transport, '3');
      if (typeof version === 'object') return version;
      const answer = await this.#transport.send({ method: 'GET', path: '/api/v3/configure/database?format=json' });
      return this.#result(answer, bucket, version);
    });
  }

  isUp(): Promise<boolean> {
    return answersPing(this.#transport);
  }

  provisioner(): Provisioner {
    return new KeeperProvisioner(new Databases(this.#transport));
  }

  close(): void {
    this.#transport.close();
  }

  #result(answer: Answer, bucket: string | undefined, version: string | undefined): TestResult {
    switch (answer.status) {
      case 200:
        if (bucket === undefined || answer.body.includes(JSON.stringify(bucket))) {
          return passed('points can be written.', version);
        }
        return passed(`points can be written; the database "${bucket}" will be created by the first one.`, version);
      case 401:
        return failed('unauthorized', 'InfluxDB refuses the token: give one that is valid', version);
      case 403:
        // The token is valid; whether it may write the first point will tell.
        return passed('the token is valid.', version);
      default:
        return unexpected(answer, this.#transport.host, version);
    }
  }
}

export function connect3(options: ConnectOptions): InfluxServer {
  const token = options.token?.trim() ?? '';
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  // A server can be run without tokens.
  if (token !== '') headers['authorization'] = `Bearer ${token}`;
  return new Influx3(new Transport({ ...options, headers }));
}
