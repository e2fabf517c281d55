import { PackError } from '../errors';
import { commonOutcome, influxWordsOf, jsonOf, wordsOf, type Answer, type WriteOutcome } from './outcome';
import { KeeperProvisioner, type Provisioner } from './provision';
import { RetentionPolicies } from './provision1';
import { QueryEndpoint, type SeriesRows } from './query';
import type { ConnectOptions, InfluxServer } from './server';
import { answersPing, failed, passed, pingedVersion, tested, unexpected, type TestResult } from './test-result';
import { Transport } from './transport';
import { WriteEndpoint } from './write-endpoint';

/** The batch size that InfluxDB recommends: larger ones gain nothing. */
const BATCH_LINES = 5000;

/** What 1.x says of lines, as opposed to the request as a whole. */
const ABOUT_LINES = /unable to parse|partial write|invalid field name|point is invalid|invalid point|max key length/;

function outcomeOf(answer: Answer): WriteOutcome | undefined {
  const words = wordsOf(answer);
  if (answer.status === 500) {
    // A missing retention policy is no fault of the server that would pass by itself.
    if (words.includes('retention policy not found')) return { kind: 'configuration', reason: words };
    // A cluster has taken the points and will pass them on to the node that is away.
    if (words.includes('hinted handoff queue not empty')) return { kind: 'written' };
  }
  const common = commonOutcome(answer);
  if (common) return common;
  if (!ABOUT_LINES.test(words)) return undefined;
  return { kind: words.startsWith('partial write') ? 'partly-written' : 'refused', reason: words };
}

/** 1.x: a bucket is a retention policy of one database. */
class Influx1 implements InfluxServer {
  readonly overwrites = true;
  readonly batchLines = BATCH_LINES;
  readonly #transport: Transport;
  readonly #database: string;
  readonly #endpoint: WriteEndpoint;
  readonly #reader: QueryEndpoint;

  constructor(transport: Transport, database: string) {
    this.#transport = transport;
    this.#database = database;
    this.#endpoint = new WriteEndpoint(transport, {
      // 1.x takes an unknown precision, "us" among them, for nanoseconds: it is named by its documented name.
      path: (bucket) => `/write?${new URLSearchParams({ db: database, rp: bucket, precision: 'n' }).toString()}`,
      outcomeOf,
      acceptsEmpty: true,
    });
    this.#reader = new QueryEndpoint(transport, (bucket) => ({ db: this.#database, rp: bucket }));
  }

  write(bucket: string, body: string, signal: AbortSignal): Promise<WriteOutcome> {
    return this.#endpoint.write(bucket, body, signal);
  }

  query(bucket: string, statement: string, signal: AbortSignal): AsyncIterable<SeriesRows> {
    return this.#reader.query(bucket, statement, signal);
  }

  test(bucket?: string): Promise<TestResult> {
    return tested(this.#transport.host, async () => {
      const version = await pingedVersion(this.#transport, '1');
      if (typeof version === 'object') return version;
      return (await this.#testDatabase(version)) ?? (await this.#testPolicy(bucket, version));
    });
  }

  isUp(): Promise<boolean> {
    return answersPing(this.#transport);
  }

  provisioner(): Provisioner {
    return new KeeperProvisioner(new RetentionPolicies(this.#reader, this.#database));
  }

  close(): void {
    this.#transport.close();
  }

  /** A write without points is checked like any other. */
  async #testDatabase(version: string | undefined): Promise<TestResult | undefined> {
    const path = `/write?${new URLSearchParams({ db: this.#database }).toString()}`;
    const answer = await this.#transport.send({ method: 'POST', path });
    const words = influxWordsOf(answer);
    if (answer.status === 204) return undefined;
    if (answer.status === 401) {
      return failed('unauthorized', `InfluxDB refuses the user name and password: correct them (${words})`, version);
    }
    if (answer.status === 403) {
      return failed(
        'forbidden',
        `The user may not write to the database "${this.#database}": grant it WRITE (${words})`,
        version,
      );
    }
    if (answer.status === 404 && jsonOf(answer)) {
      return failed(
        'not-found',
        `There is no database "${this.#database}": create it, or correct the name (${words})`,
        version,
      );
    }
    return unexpected(answer, this.#transport.host, version);
  }

  async #testPolicy(bucket: string | undefined, version: string | undefined): Promise<TestResult> {
    const ready = passed(`points can be written to the database "${this.#database}".`, version);
    if (bucket === undefined) return ready;
    const name = this.#database.replace(/["\\]/g, '\\$&');
    const query = new URLSearchParams({ q: `SHOW RETENTION POLICIES ON "${name}"` }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await this.#transport.send({ method: 'POST', path: '/query', body: query, headers });
    const policies = policyNames(answer);
    // A user with no right but to write cannot see the policies; then the first point will tell.
    if (policies === undefined || policies.includes(bucket)) return ready;
    return failed(
      'not-found',
      `The database "${this.#database}" has no retention policy "${bucket}": create it, or correct the name`,
      version,
    );
  }
}

function policyNames(answer: Answer): unknown[] | undefined {
  const { results } = (jsonOf(answer) ?? {}) as { results?: { series?: { values?: unknown[][] }[] }[] };
  return results?.[0]?.series?.[0]?.values?.map((row) => row[0]);
}

export function connect1(options: ConnectOptions): InfluxServer {
  const { database = '', username = '', password = '' } = options;
  if (database === '') throw new PackError('not-configured', 'InfluxDB 1.x needs the name of a database');
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  if (username !== '') headers['authorization'] = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return new Influx1(new Transport({ ...options, headers }), database);
}
