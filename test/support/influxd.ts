import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports';
import { startChild, type Child } from './processes';
import { tempDirectory } from './temp';

export interface InfluxdOptions {
  /** Turns authentication on and creates this administrator. */
  admin?: { username: string; password: string };
  /** Bytes of a request body, compressed; default of the server: 25,000,000. */
  maxBodySize?: number;
  /** How often shards past their retention are dropped, as InfluxDB writes durations. Default: 30m. */
  retentionInterval?: string;
  /** PEM files: serve HTTPS. */
  tls?: { certificate: string; key: string };
  /** False: everything is prepared, but the server is started by `restart()`. */
  start?: boolean;
}

/** A row of an InfluxQL answer, as CSV gives it: every value as text, `time` in nanoseconds, digits untouched. */
export type Row = Record<string, string>;

/** A stored point. Field values as InfluxDB prints them; a field that is absent in the row is left out. */
export interface StoredPoint {
  time: string;
  tags: Record<string, string>;
  fields: Record<string, string>;
}

export interface Influxd {
  readonly url: string;
  readonly port: number;
  /** Runs InfluxQL. Throws with the server's words on an error, also on one inside a 200 answer. */
  query(statement: string, database?: string): Promise<Row[]>;
  /** A database and its retention policies: `{ raw: '1d' }`; the first one is the default. */
  createDatabase(name: string, retentionPolicies?: Record<string, string>): Promise<void>;
  /** Everything stored in one measurement of one retention policy, one entry per series and time. */
  points(database: string, retentionPolicy: string, measurement: string): Promise<StoredPoint[]>;
  /** Number of points that have `field`; 0 when the measurement does not exist. */
  count(database: string, retentionPolicy: string, measurement: string, field: string): Promise<number>;
  pid(): number;
  log(): string;
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** SIGSTOP: the kernel still accepts connections, nothing is answered. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Starts it again on the same port with the same data (after `kill` or `stop`; a running one is stopped first). */
  restart(): Promise<void>;
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** RFC 4180, as Go's csv writer makes it. */
function csvRecords(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let value = '';
  let inQuotes = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (inQuotes) {
      if (character !== '"') value += character;
      else if (text.charAt(at + 1) === '"') value += text.charAt(++at);
      else inQuotes = false;
    } else if (character === '"') inQuotes = true;
    else if (character === ',') {
      record.push(value);
      value = '';
    } else if (character === '\n') {
      records.push([...record, value]);
      record = [];
      value = '';
    } else value += character;
  }
  if (value !== '' || record.length > 0) records.push([...record, value]);
  return records;
}

/** InfluxDB answers each series with a header of its own when the columns differ: a blank line, then the new header. */
function rowsOf(csv: string): Row[] {
  const rows: Row[] = [];
  let header: string[] | undefined;
  for (const record of csvRecords(csv)) {
    if (record.length === 1 && record[0] === '') header = undefined;
    else if (!header) header = record;
    else {
      const row: Row = {};
      for (const [index, name] of header.entries()) row[name] = record[index] ?? '';
      rows.push(row);
    }
  }
  return rows;
}

/** A private InfluxDB 1.x on loopback, stopped and its data removed when the test file ends. */
export async function startInfluxd(options: InfluxdOptions = {}): Promise<Influxd> {
  const directory = tempDirectory('influxd');
  const [port, rpcPort] = [await freePort(), await freePort()];
  const { admin, tls } = options;
  const configuration = join(directory, 'influxdb.conf');
  writeFileSync(
    configuration,
    `reporting-disabled = true
bind-address = "127.0.0.1:${rpcPort}"
[meta]
  dir = "${directory}/meta"
[data]
  dir = "${directory}/data"
  wal-dir = "${directory}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[retention]
  check-interval = "${options.retentionInterval ?? '30m'}"
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
  auth-enabled = ${admin ? 'true' : 'false'}
  ${options.maxBodySize === undefined ? '' : `max-body-size = ${options.maxBodySize}`}
  ${tls ? `https-enabled = true\n  https-certificate = "${tls.certificate}"\n  https-private-key = "${tls.key}"` : ''}
`,
  );
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  let child: Child | undefined;

  const start = async (): Promise<void> => {
    child = await startChild('influxd', ['-config', configuration], {
      name: 'influxd',
      // fetch does not know the test's certificate authority; that the port answers is enough there.
      ready: () => (tls ? fetch(`${url}/ping`).then(() => true, isTlsRefusal) : fetch(`${url}/ping`).then((r) => r.ok)),
    });
  };

  const ask = async (statement: string, database: string | undefined, accept: string): Promise<string> => {
    const parameters = new URLSearchParams({
      q: statement,
      epoch: 'ns',
      ...(database !== undefined && { db: database }),
    });
    const headers: Record<string, string> = { Accept: accept };
    if (admin) headers['Authorization'] = `Basic ${btoa(`${admin.username}:${admin.password}`)}`;
    const answer = await fetch(`${url}/query`, { method: 'POST', body: parameters, headers });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${statement}: ${text}`);
    return text;
  };

  const influxd: Influxd = {
    url,
    port,
    async query(statement, database) {
      const csv = await ask(statement, database, 'application/csv');
      const rows = rowsOf(csv);
      if (rows.length > 0) return rows;
      // CSV keeps every digit but says nothing of a statement's error; JSON does, inside a 200 answer.
      const json = await ask(statement, database, 'application/json');
      const { results } = JSON.parse(json) as { results: { error?: string }[] };
      const fault = results.find((result) => result.error !== undefined)?.error;
      if (fault !== undefined) throw new Error(`${statement}: ${fault}`);
      return [];
    },
    async createDatabase(name, retentionPolicies = {}) {
      await influxd.query(`CREATE DATABASE ${quoted(name)}`);
      for (const [index, [policy, duration]] of Object.entries(retentionPolicies).entries()) {
        await influxd.query(
          `CREATE RETENTION POLICY ${quoted(policy)} ON ${quoted(name)} DURATION ${duration} REPLICATION 1${index === 0 ? ' DEFAULT' : ''}`,
        );
      }
    },
    async points(database, retentionPolicy, measurement) {
      const source = `${quoted(retentionPolicy)}.${quoted(measurement)}`;
      const rows = await influxd.query(`SELECT * FROM ${source}`, database);
      // Asked afterwards, so that the tags of every row are known.
      const tagKeys = await influxd.query(`SHOW TAG KEYS FROM ${source}`, database);
      const tagNames = new Set(tagKeys.map((row) => row['tagKey'] ?? ''));
      return rows.map((row) => {
        const point: StoredPoint = { time: row['time'] ?? '', tags: {}, fields: {} };
        for (const [name, value] of Object.entries(row)) {
          if (name === 'time' || name === 'name' || name === 'tags' || value === '') continue;
          (tagNames.has(name) ? point.tags : point.fields)[name] = value;
        }
        return point;
      });
    },
    async count(database, retentionPolicy, measurement, field) {
      const rows = await influxd.query(
        `SELECT count(${quoted(field)}) FROM ${quoted(retentionPolicy)}.${quoted(measurement)}`,
        database,
      );
      return Number(rows[0]?.['count'] ?? 0);
    },
    pid: () => child?.pid ?? 0,
    log: () => child?.output() ?? '',
    async kill() {
      await child?.kill();
    },
    async stop() {
      await child?.stop();
    },
    async freeze() {
      await child?.kill('SIGSTOP');
    },
    async thaw() {
      await child?.kill('SIGCONT');
    },
    async restart() {
      if (child?.isRunning()) await child.stop();
      await start();
    },
  };

  if (options.start !== false) {
    await start();
    if (admin) {
      await influxd.query(
        `CREATE USER ${quoted(admin.username)} WITH PASSWORD '${admin.password}' WITH ALL PRIVILEGES`,
      );
    }
  }
  return influxd;
}

function isTlsRefusal(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  return cause?.code !== 'ECONNREFUSED';
}
