import { randomBytes } from 'node:crypto';
import type { ConnectOptions } from '../../../nodes/lib/influx/server';
import { startInfluxd, type Influxd } from '../influxd';
import { Influx2Facade } from './influx2';
import { Influx3Facade } from './influx3';

const TIMEOUT = 30_000;
const ADMIN = { username: 'admin', password: 'pass word:1' };

/** A server of some version, real or a façade, that tests of write outcomes run against. */
export interface Target {
  /** Options with which everything works. */
  options: ConnectOptions;
  /** Makes a bucket (1.x: retention policy, 3.x: database) with a name of its own. Retention in seconds; 0: for ever. */
  createBucket(retention?: number): Promise<string>;
  /** Changes a retention by hand, as an operator would; seconds, 0: for ever. */
  setRetention(bucket: string, retention: number): Promise<void>;
  /** Removes the buckets, and others by their names. */
  cleanUp(...more: string[]): Promise<void>;
  /** Fails the test if a façade was asked for what it does not know. */
  assertHonest(): void;
}

export interface TargetKind {
  name: string;
  version: ConnectOptions['version'];
  start: () => Promise<Target>;
}

export function uniqueName(): string {
  return `test_${randomBytes(6).toString('hex')}`;
}

async function ask(url: string, init: RequestInit): Promise<string> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${url}: ${answer.status} ${text}`);
  return text;
}

/** A real InfluxDB 1.x with authentication. */
async function startTarget1(): Promise<Target> {
  const influxd = await startInfluxd({ admin: ADMIN });
  const database = uniqueName();
  await influxd.createDatabase(database);
  return {
    options: { version: '1', url: influxd.url, database, ...ADMIN, timeout: TIMEOUT },
    async createBucket(retention = 0) {
      const name = uniqueName();
      const duration = retention === 0 ? 'INF' : `${retention}s`;
      await influxd.query(`CREATE RETENTION POLICY "${name}" ON "${database}" DURATION ${duration} REPLICATION 1`);
      return name;
    },
    async setRetention(name, retention) {
      const duration = retention === 0 ? 'INF' : `${retention}s`;
      const shard = retention === 0 ? 604_800 : 3600;
      await influxd.query(
        `ALTER RETENTION POLICY "${name}" ON "${database}" DURATION ${duration} SHARD DURATION ${shard}s`,
      );
    },
    async cleanUp(...more) {
      for (const name of more) await influxd.query(`DROP RETENTION POLICY "${name}" ON "${database}"`);
    },
    assertHonest: () => undefined,
  };
}

interface Place {
  url: string;
  token: string;
}

/** By the API that a real 2.x and its façade have in common. */
async function target2({ url, token }: Place, organization: string, assertHonest: () => void): Promise<Target> {
  const headers = { authorization: `Token ${token}`, 'content-type': 'application/json' };
  const buckets = `${url}/api/v2/buckets`;
  const listed = await ask(`${buckets}?${new URLSearchParams({ org: organization, limit: '100' }).toString()}`, {
    headers,
  });
  const orgID = (JSON.parse(listed) as { buckets: { orgID: string }[] }).buckets[0]?.orgID;
  const ids: string[] = [];
  const idsOf = async (name: string): Promise<string[]> => {
    const path = `${buckets}?${new URLSearchParams({ org: organization, name }).toString()}`;
    const answer = await fetch(path, { headers });
    if (answer.status === 404) return [];
    return ((await answer.json()) as { buckets: { id: string }[] }).buckets.map(({ id }) => id);
  };
  return {
    options: { version: '2', url, organization, token, timeout: TIMEOUT },
    async createBucket(retention = 0) {
      const name = uniqueName();
      const retentionRules = retention === 0 ? [] : [{ type: 'expire', everySeconds: retention }];
      const body = JSON.stringify({ orgID, name, retentionRules });
      const made = await ask(buckets, { method: 'POST', headers, body });
      ids.push((JSON.parse(made) as { id: string }).id);
      return name;
    },
    async setRetention(name, everySeconds) {
      const rule = { type: 'expire', everySeconds, shardGroupDurationSeconds: everySeconds === 0 ? 604_800 : 3600 };
      const body = JSON.stringify({ retentionRules: [rule] });
      for (const id of await idsOf(name)) await ask(`${buckets}/${id}`, { method: 'PATCH', headers, body });
    },
    async cleanUp(...more) {
      for (const name of more) ids.push(...(await idsOf(name)));
      for (const id of ids.splice(0)) await ask(`${buckets}/${id}`, { method: 'DELETE', headers });
    },
    assertHonest,
  };
}

/** By the API that a real 3.x and its façade have in common. */
function target3({ url, token }: Place, assertHonest: () => void): Target {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const databases = `${url}/api/v3/configure/database`;
  const names: string[] = [];
  return {
    options: { version: '3', url, token, timeout: TIMEOUT },
    async createBucket(retention = 0) {
      const name = uniqueName();
      const period = retention === 0 ? {} : { retention_period: `${retention}s` };
      await ask(databases, { method: 'POST', headers, body: JSON.stringify({ db: name, ...period }) });
      names.push(name);
      return name;
    },
    async setRetention(db, retention) {
      const period = retention === 0 ? {} : { retention_period: `${retention}s` };
      await ask(databases, { method: 'PUT', headers, body: JSON.stringify({ db, ...period }) });
    },
    async cleanUp(...more) {
      for (const name of [...names.splice(0), ...more]) {
        const { ok, status } = await fetch(`${databases}?db=${name}`, { method: 'DELETE', headers });
        if (!ok && status !== 404) throw new Error(`database ${name} cannot be deleted: ${status}`);
      }
    },
    assertHonest,
  };
}

let behind: Promise<Influxd> | undefined;

/** The real 1.x behind the façades of a test file. */
export function influxdBehind(): Promise<Influxd> {
  behind ??= startInfluxd();
  return behind;
}

function kind2(): TargetKind {
  const { TEST_INFLUX2_URL: url, TEST_INFLUX2_TOKEN: token, TEST_INFLUX2_ORG: organization } = process.env;
  if (url !== undefined && token !== undefined && organization !== undefined) {
    return { name: `2.x at ${url}`, version: '2', start: () => target2({ url, token }, organization, () => undefined) };
  }
  const start = async (): Promise<Target> => {
    const facade = await Influx2Facade.start(await influxdBehind());
    return target2({ url: facade.url, token: 'test-token' }, facade.organization, () => facade.assertHonest());
  };
  return { name: '2.x, façade', version: '2', start };
}

function kind3(): TargetKind {
  const { TEST_INFLUX3_URL: url, TEST_INFLUX3_TOKEN: token } = process.env;
  if (url !== undefined && token !== undefined) {
    return {
      name: `3.x at ${url}`,
      version: '3',
      start: () => Promise.resolve(target3({ url, token }, () => undefined)),
    };
  }
  const start = async (): Promise<Target> => {
    const facade = await Influx3Facade.start(await influxdBehind());
    return target3({ url: facade.url, token: 'test-token' }, () => facade.assertHonest());
  };
  return { name: '3.x, façade', version: '3', start };
}

/**
 * A server of each version: the real 1.x, and façades of 2.x and 3.x unless the environment names real ones by
 * TEST_INFLUX2_URL, TEST_INFLUX2_TOKEN, TEST_INFLUX2_ORG and TEST_INFLUX3_URL, TEST_INFLUX3_TOKEN.
 */
export function targetKinds(): TargetKind[] {
  return [{ name: '1.x, real', version: '1', start: startTarget1 }, kind2(), kind3()];
}
