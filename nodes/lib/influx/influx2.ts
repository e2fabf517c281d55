import { PackError } from '../errors';
import { connectionFault } from './connection-fault';
import { AnswerError, saysNoOrganization, TokenOrganization } from './organization2';
import { commonOutcome, influxWordsOf, jsonOf, wordsOf, type Answer, type WriteOutcome } from './outcome';
import { KeeperProvisioner, type Provisioner } from './provision';
import { Buckets } from './provision2';
import { QueryEndpoint, QueryError, type SeriesRows } from './query';
import type { ConnectOptions, InfluxServer } from './server';
import { answersPing, failed, passed, pingedVersion, tested, unexpected, type TestResult } from './test-result';
import { Transport } from './transport';
import { WriteEndpoint } from './write-endpoint';

/** The batch size that InfluxDB recommends: larger ones gain nothing. */
const BATCH_LINES = 5000;

/** Without a bucket to test: one that cannot exist, since such names are InfluxDB's own. */
const NO_BUCKET = '_connection_test';

/** The points that fit are stored, as in 1.x. Releases before 2.5 say this with status 500. */
const PARTLY_WRITTEN = /partial write|field type conflict/;
/** What 2.x says of lines, as opposed to the request as a whole; then none of them is stored. */
const REFUSED = /unable to parse|reserved tag key|invalid field name|point is invalid|max key length/;

function outcomeOf(answer: Answer): WriteOutcome | undefined {
  const words = wordsOf(answer);
  const isAboutLines = jsonOf(answer) && (answer.status === 400 || answer.status === 422 || answer.status === 500);
  if (isAboutLines && answer.status !== 400 && PARTLY_WRITTEN.test(words))
    return { kind: 'partly-written', reason: words };
  if (isAboutLines && answer.status !== 500 && REFUSED.test(words)) return { kind: 'refused', reason: words };
  return commonOutcome(answer);
}

class Influx2 implements InfluxServer {
  readonly overwrites = true;
  readonly batchLines = BATCH_LINES;
  readonly #transport: Transport;
  readonly #organization: string;
  readonly #endpoint: WriteEndpoint;
  readonly #reader: QueryEndpoint;
  readonly #read: TokenOrganization;

  constructor(transport: Transport, organization: string) {
    this.#transport = transport;
    this.#organization = organization;
    this.#read = new TokenOrganization(transport, organization);
    this.#endpoint = new WriteEndpoint(transport, {
      path: (bucket) => this.#path(bucket),
      outcomeOf,
      acceptsEmpty: true,
    });
    // Named as it is without a mapping, so that a mapping of the same name but another policy is passed over.
    this.#reader = new QueryEndpoint(transport, (bucket) => ({ db: bucket, rp: 'autogen' }));
  }

  write(bucket: string, body: string, signal: AbortSignal): Promise<WriteOutcome> {
    return this.#endpoint.write(bucket, body, signal);
  }

  async *query(bucket: string, statement: string, signal: AbortSignal): AsyncGenerator<SeriesRows, void, undefined> {
    signal.throwIfAborted();
    await this.#checkOrganization(signal);
    try {
      yield* this.#reader.query(bucket, statement, signal);
    } catch (error) {
      // What InfluxQL calls a database, and says of both.
      if (!(error instanceof QueryError) || !error.message.startsWith('database not found')) throw error;
      const message = `there is no bucket "${bucket}", or the token may not read it`;
      throw new QueryError('not-found', message, { cause: error });
    }
  }

  test(bucket?: string): Promise<TestResult> {
    return tested(this.#transport.host, async () => {
      const version = await pingedVersion(this.#transport, '2');
      if (typeof version === 'object') return version;
      // A write without points is checked like any other, and a token that may only write can do it.
      const answer = await this.#transport.send({ method: 'POST', path: this.#path(bucket ?? NO_BUCKET) });
      const result = this.#result(answer, bucket, version);
      return result.ok ? ((await this.#testOrganization(version)) ?? result) : result;
    });
  }

  isUp(): Promise<boolean> {
    return answersPing(this.#transport);
  }

  provisioner(): Provisioner {
    return new KeeperProvisioner(new Buckets(this.#transport, this.#organization));
  }

  close(): void {
    this.#transport.close();
  }

  /** @throws QueryError, or the signal's reason once that is aborted */
  async #checkOrganization(signal: AbortSignal): Promise<void> {
    let fault: string | undefined;
    try {
      fault = await this.#read.fault();
    } catch (error) {
      signal.throwIfAborted();
      throw this.#checkError(error);
    }
    signal.throwIfAborted();
    if (fault !== undefined) throw new QueryError('forbidden', fault);
  }

  #checkError(error: unknown): QueryError {
    if (!(error instanceof AnswerError)) {
      const { code, message } = connectionFault(error, this.#transport.host);
      return new QueryError(code === 'timeout' ? 'timeout' : 'unreachable', message, { cause: error });
    }
    const { answer, message } = error;
    if (answer.status === 401) return new QueryError('unauthorized', message, { cause: error });
    const words = saysNoOrganization(answer)
      ? this.#noOrganization(answer)
      : `It cannot be told which organization the token reads: ${message}`;
    return new QueryError('unreachable', words, { cause: error });
  }

  async #testOrganization(version: string | undefined): Promise<TestResult | undefined> {
    try {
      const fault = await this.#read.fault();
      return fault === undefined ? undefined : failed('other-organization', fault, version);
    } catch (error) {
      if (error instanceof AnswerError) return unexpected(error.answer, this.#transport.host, version);
      throw error;
    }
  }

  #noOrganization(answer: Answer): string {
    return `There is no organization "${this.#organization}": correct its name (${influxWordsOf(answer)})`;
  }

  #path(bucket: string): string {
    return `/api/v2/write?${new URLSearchParams({ org: this.#organization, bucket, precision: 'ns' }).toString()}`;
  }

  #result(answer: Answer, bucket: string | undefined, version: string | undefined): TestResult {
    const words = influxWordsOf(answer);
    switch (answer.status) {
      case 204:
        return passed(`points can be written to the bucket "${bucket ?? ''}".`, version);
      case 401:
        return failed('unauthorized', `InfluxDB refuses the token: give one that is valid (${words})`, version);
      case 403:
        return failed(
          'forbidden',
          `The token may not write to the bucket "${bucket ?? ''}": give one that may (${words})`,
          version,
        );
      case 404:
        return this.#notFound(answer, bucket, version);
      default:
        return unexpected(answer, this.#transport.host, version);
    }
  }

  #notFound(answer: Answer, bucket: string | undefined, version: string | undefined): TestResult {
    if (!jsonOf(answer)) return unexpected(answer, this.#transport.host, version);
    if (saysNoOrganization(answer)) return failed('not-found', this.#noOrganization(answer), version);
    // Token and organization have been accepted before the bucket was looked for.
    if (bucket === undefined)
      return passed(`the token and the organization "${this.#organization}" are right.`, version);
    return failed(
      'not-found',
      `There is no bucket "${bucket}" in the organization "${this.#organization}", or the token may not see it: create it, or correct the name (${influxWordsOf(answer)})`,
      version,
    );
  }
}

export function connect2(options: ConnectOptions): InfluxServer {
  const { organization = '' } = options;
  const token = options.token?.trim() ?? '';
  if (organization === '') throw new PackError('not-configured', 'InfluxDB 2.x needs the name of an organization');
  if (token === '') throw new PackError('not-configured', 'InfluxDB 2.x needs a token');
  const headers = { 'content-type': 'text/plain; charset=utf-8', authorization: `Token ${token}` };
  return new Influx2(new Transport({ ...options, headers }), organization);
}
