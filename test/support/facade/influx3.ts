import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { parseLine, type ParsedLine } from '../../../nodes/lib/influx/parse-line';
import type { Influxd } from '../influxd';
import { Backend, linesOf } from './backend';
import type { Faults, SeenRequest } from './faults';
import type { FaultyServer, Reply } from './faulty-server';
import { header, HonestServer, onlyContent, onlyParameters, Unknown } from './honesty';
import { answerLines } from './query3';

const VERSION = '3.8.3';
const MOST_DATABASES = 5;
const WEEK = 7 * 86_400;
/** Nanoseconds. */
const SECOND = 1_000_000_000;
/** Seconds of the units that humantime, which reads them there, and the pack have in common. */
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const LARGEST_REQUEST = 10 * 1024 * 1024;
/** Bytes of a refused line that its report quotes. */
const QUOTED = 20;

interface Database {
  policy: string;
  /** Seconds; undefined: for ever. It is not enforced: points stay readable. */
  retention?: number;
  /** Type of each column, by table: in 3.x it never changes. */
  tables: Map<string, Map<string, string>>;
  /** Fields of the points in the write buffer, by series and time. */
  buffered: Map<string, string>;
}

interface RefusedLine {
  error_message: string;
  line_number: number;
  original_line: string;
}

export interface Influx3Options {
  token?: string;
  /**
   * Whether the newer version of a point stays that is overwritten while its first one is in the write buffer: on a real server
   * that is as good as chance, and for ever. Default: it does.
   */
  coin?: () => boolean;
}

function text(status: number, body: string): Reply {
  return { status, headers: { 'content-type': 'text/plain' }, body };
}

/** Much of what 3.x says it declares as nothing. */
function plain(status: number, body: string): Reply {
  return { status, body };
}

function json(status: number, value: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

/** The line as 1.x reads it: there a backslash in measurement and tags stands for itself, here two stand for one. */
function asIn1(line: string): string {
  const series = /^(?:\\.|[^ \\])*/s.exec(line)?.[0] ?? '';
  return series.replaceAll('\\\\', '\\') + line.slice(series.length);
}

/** Whether the last byte that is quoted of a line is not the last one of its character. */
function isCutWithin(line: string): boolean {
  return ((Buffer.from(line)[QUOTED] ?? 0) & 0xc0) === 0x80;
}

/** The columns of a line with their types, in the words of 3.x. */
function columnsOf({ tags, fields }: ParsedLine): [string, string][] {
  const ofTags = Object.keys(tags).map((name): [string, string] => [name, 'iox::column_type::tag']);
  const ofFields = Object.entries(fields).map(([name, { type }]): [string, string] => [
    name,
    `iox::column_type::field::${type}`,
  ]);
  return [...ofTags, ...ofFields];
}

/** InfluxDB 3 Core as 3.8.3 was seen to answer, with a real 1.x behind it that stores. */
export class Influx3Facade {
  readonly backend: Backend;
  readonly server: FaultyServer;
  /** Parquet files that an hour of data lies in: few in order, many where data came late or in several pieces. */
  filesAnHour = 6;
  readonly #honest: HonestServer;
  readonly #coin: Influx3Options['coin'];
  readonly #tokens = new Set<string>();
  readonly #databases = new Map<string, Database>();

  private constructor(backend: Backend, honest: HonestServer, coin: Influx3Options['coin']) {
    this.backend = backend;
    this.#coin = coin;
    this.server = honest.server;
    this.#honest = honest;
  }

  static async start(influxd: Influxd, options: Influx3Options = {}): Promise<Influx3Facade> {
    const backend = await Backend.create(influxd, `facade3_${randomBytes(4).toString('hex')}`);
    const handler = (request: SeenRequest): Reply | Promise<Reply> => facade.#answer(request);
    const facade = new Influx3Facade(backend, await HonestServer.start(handler), options.coin);
    facade.allow(options.token ?? 'test-token');
    return facade;
  }

  get url(): string {
    return this.server.url;
  }

  get faults(): Faults {
    return this.server.faults;
  }

  assertHonest(): void {
    this.#honest.assertHonest();
  }

  allow(token: string): void {
    this.#tokens.add(token);
  }

  revoke(token: string): void {
    this.#tokens.delete(token);
  }

  /** @param retention - seconds; undefined: for ever */
  async createDatabase(name: string, retention?: number): Promise<Database> {
    const policy = `p${randomBytes(4).toString('hex')}`;
    const database = { policy, ...(retention !== undefined && { retention }), tables: new Map(), buffered: new Map() };
    await this.backend.createPolicy(policy, 0, WEEK);
    this.#databases.set(name, database);
    return database;
  }

  async deleteDatabase(name: string): Promise<void> {
    const database = this.#databases.get(name);
    if (!database) return;
    this.#databases.delete(name);
    await this.backend.dropPolicy(database.policy);
  }

  /** Name of the retention policy behind a database, for looking at what is stored. */
  policyOf(database: string): string {
    return this.#databases.get(database)?.policy ?? '';
  }

  #answer(request: SeenRequest): Promise<Reply> | Reply {
    const [, token] = /^(?:Bearer|Token) (.+)$/.exec(header(request, 'authorization') ?? '') ?? [];
    if (token === undefined || !this.#tokens.has(token))
      return json(401, { error: 'the request was not authenticated' });
    const { method, path } = request;
    if (path === '/ping' && method === 'GET') {
      const versions = { 'x-influxdb-build': 'Core', 'x-influxdb-version': VERSION };
      const reply = json(200, { version: VERSION, revision: 'facade', process_id: 'facade' });
      return { ...reply, headers: { ...reply.headers, ...versions } };
    }
    if (path === '/health' && method === 'GET') return text(200, 'OK');
    if (path === '/api/v3/write_lp' && method === 'POST') return this.#write(request);
    if (path === '/api/v3/query_influxql' && method === 'POST')
      return answerLines(request, this.backend, (name) => this.#databases.get(name)?.policy, this.filesAnHour);
    if (path === '/api/v3/configure/database') return this.#configure(request);
    if (path === '/api/v3/query_sql' && method === 'POST') return this.#listRetentions(request);
    throw new Unknown('path or method');
  }

  async #write(request: SeenRequest): Promise<Reply> {
    onlyParameters(request, 'db', 'precision', 'accept_partial', 'no_sync');
    onlyContent(request, 'text/plain');
    const { query } = request;
    if (query.get('precision') !== 'nanosecond') throw new Unknown(`precision ${String(query.get('precision'))}`);
    if (query.get('accept_partial') === 'false') throw new Unknown('accept_partial=false');
    const name = query.get('db') ?? '';
    if (name === '') throw new Unknown('no database');
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]*(?:\/[A-Za-z0-9_-]+)?$/.test(name)) {
      return plain(400, JSON.stringify({ error: 'db name did not start with a number or letter' }));
    }
    const isCompressed = header(request, 'content-encoding') === 'gzip';
    const body = isCompressed ? gunzipSync(request.body) : request.body;
    if (body.length > LARGEST_REQUEST) return plain(500, `max request size (${LARGEST_REQUEST} bytes) exceeded`);
    const existing = this.#databases.get(name);
    if (!existing && this.#databases.size >= MOST_DATABASES) {
      return plain(422, JSON.stringify({ error: LIMIT }));
    }
    return this.#store(existing ?? (await this.createDatabase(name)), linesOf(body.toString()).map(asIn1));
  }

  async #store(database: Database, lines: string[]): Promise<Reply> {
    if (lines.length === 0) return plain(400, 'empty write');
    const refused = new Map<number, string>();
    for (const { index, reason } of await this.backend.unparsable(lines)) refused.set(index, reason);
    for (const [index, line] of lines.entries()) {
      if (refused.has(index)) continue;
      const conflict = this.#conflict(database, parseLine(line));
      if (conflict !== undefined) refused.set(index, conflict);
    }
    const good = lines.filter((_, index) => !refused.has(index));
    const { status, error } = await this.backend.write(database.policy, this.#tossed(database, good).join('\n'));
    if (status !== 204) throw new Unknown(`1.x says ${status}: ${error}`);
    if (refused.size === 0) return { status: 204 };
    // Up to 3.9.3 it cuts the quote by bytes, and panics within a character.
    if ([...refused.keys()].some((index) => isCutWithin(lines[index] ?? ''))) return { status: 0, closes: true };
    const data = [...refused]
      .sort(([a], [b]) => a - b)
      .map(([index, reason]): RefusedLine => ({
        error_message: reason,
        line_number: index + 1,
        original_line: Buffer.from(lines[index] ?? '')
          .subarray(0, QUOTED)
          .toString(),
      }));
    return plain(400, JSON.stringify({ error: 'partial write of line protocol occurred', data }));
  }

  /** The lines without those whose values lose against what is in the write buffer. */
  #tossed({ buffered }: Database, lines: string[]): string[] {
    const coin = this.#coin;
    if (coin === undefined) return lines;
    return lines.filter((line) => {
      const { measurement, tags, fields, time } = parseLine(line);
      const point = JSON.stringify([measurement, Object.entries(tags).sort(), time]);
      const values = JSON.stringify(
        Object.entries(fields).map(([name, { type, value }]) => [name, type, String(value)]),
      );
      const known = buffered.get(point);
      if (known !== undefined && known !== values && !coin()) return false;
      buffered.set(point, values);
      return true;
    });
  }

  /** The write buffer goes into files: from then on newer points win, as far as was seen. */
  snapshot(): void {
    for (const { buffered } of this.#databases.values()) buffered.clear();
  }

  /** Why the line does not fit its table; when it does, its columns become the table's. */
  #conflict(database: Database, line: ParsedLine): string | undefined {
    const table = database.tables.get(line.measurement) ?? new Map<string, string>();
    const columns = columnsOf(line);
    for (const [name, type] of columns) {
      const expected = table.get(name);
      if (expected !== undefined && expected !== type) {
        return `invalid column type for column '${name}', expected ${expected}, got ${type}`;
      }
    }
    for (const [name, type] of columns) table.set(name, type);
    database.tables.set(line.measurement, table);
    return undefined;
  }

  async #configure(request: SeenRequest): Promise<Reply> {
    if (request.method === 'GET') {
      onlyParameters(request, 'format', 'show_deleted');
      if (request.query.get('format') !== 'json') throw new Unknown('format');
      return json(
        200,
        ['_internal', ...this.#databases.keys()].map((name) => ({ 'iox::database': name })),
      );
    }
    if (request.method === 'DELETE') {
      onlyParameters(request, 'db');
      const name = request.query.get('db') ?? '';
      if (!this.#databases.has(name)) return plain(404, `the requested resource was not found: ${name}`);
      await this.deleteDatabase(name);
      return { status: 200 };
    }
    const { db, retention_period: period } = JSON.parse(request.body.toString()) as Asked;
    const retention = period === undefined ? undefined : secondsOf(period);
    const existing = this.#databases.get(db);
    if (request.method === 'PUT') {
      if (!existing) return plain(404, `the requested resource was not found: ${db}`);
      if (retention === undefined) delete existing.retention;
      else existing.retention = retention;
      return { status: 200 };
    }
    if (request.method !== 'POST') throw new Unknown('method');
    if (existing) return plain(409, 'attempted to create a resource that already exists');
    if (this.#databases.size >= MOST_DATABASES) {
      return { status: 422, body: JSON.stringify({ error: LIMIT }) };
    }
    await this.createDatabase(db, retention);
    return { status: 200 };
  }

  /** The one statement that asks for what the system table of databases says. */
  #listRetentions(request: SeenRequest): Reply {
    onlyContent(request, 'application/json');
    const { db, q, format } = JSON.parse(request.body.toString()) as Record<string, string>;
    const statement = 'SELECT database_name, retention_period_ns FROM system.databases WHERE deleted = false';
    if (q !== statement) throw new Unknown(`statement ${q ?? ''}`);
    if (db !== '_internal' || format !== 'json') throw new Unknown('database or format');
    const rows = [...this.#databases].map(([name, { retention }]) => ({
      database_name: name,
      ...(retention !== undefined && { retention_period_ns: retention * SECOND }),
    }));
    // A column without a value is left out of the row.
    return json(200, [{ database_name: '_internal', retention_period_ns: WEEK * SECOND }, ...rows]);
  }
}

interface Asked {
  db: string;
  retention_period?: string;
}

const LIMIT = `Adding a new database would exceed limit of ${MOST_DATABASES} databases`;

function secondsOf(period: string): number {
  const [, amount, unit] = /^([0-9]+)([smhd])$/.exec(period) ?? [];
  if (amount === undefined || unit === undefined) throw new Unknown(`retention_period ${period}`);
  return Number(amount) * (UNITS[unit] ?? NaN);
}
