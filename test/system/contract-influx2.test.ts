// The façade of 2.x answers as the real server was recorded, and the pack does right by every kind of token. With
// TEST_INFLUX2_URL and TEST_INFLUX2_TOKEN (an operator's) of a real 2.x both are tried on that instead; with
// TEST_INFLUX2_RECORD its replies are recorded anew.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../nodes/lib/influx/connect';
import type { InfluxServer } from '../../nodes/lib/influx/server';
import { REQUESTS, type Role } from '../support/facade/contract2-requests';
import {
  exchange,
  prepareGround,
  readRecording,
  writeRecording,
  type Exchange,
  type Ground,
  type Server2,
} from '../support/facade/contract2';
import { Influx2Facade } from '../support/facade/influx2';
import { influxdBehind, uniqueName } from '../support/facade/targets';

const { TEST_INFLUX2_URL: url, TEST_INFLUX2_TOKEN: operator, TEST_INFLUX2_RECORD: record } = process.env;
const isReal = url !== undefined && operator !== undefined;

let facade: Influx2Facade | undefined;

async function startServer(): Promise<Server2> {
  if (isReal) return { url, token: operator };
  facade = await Influx2Facade.start(await influxdBehind());
  return { url: facade.url, token: 'test-token' };
}

let ground: Ground;

beforeAll(async () => {
  ground = await prepareGround(await startServer(), uniqueName());
});

afterAll(async () => {
  if (isReal) await ground.remove();
  facade?.assertHonest();
});

describe(isReal ? `replies of 2.x at ${url}` : 'replies of the façade of 2.x', () => {
  test('are those that were recorded', async () => {
    const seen: Exchange[] = [];
    for (const request of REQUESTS) seen.push({ request, reply: await exchange(ground, request) });
    if (isReal && record !== undefined) {
      const version = (await fetch(`${url}/ping`)).headers.get('x-influxdb-version') ?? '';
      await writeRecording({ version, exchanges: seen });
    }
    const { exchanges } = readRecording();
    expect(exchanges.map(({ request }) => request)).toEqual(REQUESTS);
    for (const [index, { request, reply }] of exchanges.entries()) {
      expect
        .soft(seen[index]?.reply, `${request.as}: ${request.method} ${request.path} ${request.body ?? ''}`)
        .toEqual(reply);
    }
  });
});

describe(isReal ? `the pack with 2.x at ${url}` : 'the pack with the façade of 2.x', () => {
  const DAY = 86_400;
  const opened: InfluxServer[] = [];
  let own: Ground;

  // Both organizations have buckets of the same names, until the first test makes another.
  beforeAll(async () => {
    own = await prepareGround(ground.server, uniqueName());
  });

  afterAll(async () => {
    for (const each of opened) each.close();
    if (isReal) await own.remove();
  });

  function as(role: Role, organization = own.organization): InfluxServer {
    const options = { version: '2' as const, url: own.server.url, organization, token: own.tokens[role] };
    const server = connect({ ...options, timeout: 30_000 });
    opened.push(server);
    return server;
  }

  async function read(role: Role, bucket = own.bucket): Promise<unknown[]> {
    const rows: unknown[] = [];
    const blocks = as(role).query(bucket, 'SELECT "f" FROM "m"', new AbortController().signal);
    for await (const block of blocks) rows.push(...block.rows);
    return rows;
  }

  const write = (role: Role) => as(role).write(own.bucket, 'm f=1 1700000000000000000', new AbortController().signal);

  test('which organization a token of several reads cannot be told while all their buckets have the same names', async () => {
    for (const role of ['operator', 'other-operator'] as const) {
      expect(await as(role).test(), role).toMatchObject({ ok: false, code: 'other-organization' });
      await expect(read(role), role).rejects.toThrow(/cannot be told whether the token belongs to the organization/);
    }
    // Tokens of one organization leave no doubt.
    for (const role of ['all-access', 'provisioner', 'reader'] as const) expect(await read(role), role).toEqual([]);
    const operator = as('operator', own.organizationId).provisioner();
    const plan = await operator.plan(new Map([['only_here', { retention: DAY }]]));
    expect((await operator.apply(plan, { allowShorten: false })).failure).toBeUndefined();
    expect(await read('operator')).toEqual([]);
  });

  test('Test connection says what each token can do', async () => {
    for (const role of ['operator', 'all-access', 'provisioner', 'writer', 'reader', 'none'] as const) {
      expect(await as(role).test(), role).toMatchObject({ ok: true });
    }
    expect(await as('unknown').test()).toMatchObject({ ok: false, code: 'unauthorized' });
    expect(await as('writer', 'nobody').test()).toMatchObject({ ok: false, code: 'not-found' });
    for (const role of ['stranger', 'other-operator'] as const) {
      const { ok, code, message } = await as(role).test();
      expect({ ok, code }, role).toEqual({ ok: false, code: 'other-organization' });
      expect(message).toContain(`The token belongs to another organization than "${own.organization}"`);
    }
  });

  test('points are written by those who may', async () => {
    for (const role of ['operator', 'all-access', 'provisioner', 'writer', 'other-operator'] as const) {
      expect(await write(role), role).toEqual({ kind: 'written' });
    }
    for (const role of ['reader', 'none', 'unknown', 'stranger'] as const) {
      expect(await write(role), role).toMatchObject({ kind: 'configuration' });
    }
  });

  test('points are read by those who may, and never from another organization', async () => {
    for (const role of ['operator', 'all-access', 'provisioner', 'reader'] as const) {
      expect(await read(role), role).toEqual([[1]]);
    }
    const hidden = 'there is no bucket "raw", or the token may not read it';
    for (const role of ['writer', 'none'] as const) await expect(read(role), role).rejects.toThrow(hidden);
    await expect(read('reader', 'missing')).rejects.toThrow(
      'there is no bucket "missing", or the token may not read it',
    );
    await expect(read('unknown')).rejects.toMatchObject({ code: 'unauthorized' });
    for (const role of ['stranger', 'other-operator'] as const) {
      await expect(read(role), role).rejects.toThrow(/belongs to another organization/);
    }
  });

  test('buckets are made by those who may, and others are told what is missing', async () => {
    const made = (name: string) => new Map([[name, { retention: DAY }]]);
    const provision = async (role: Role, name: string, organization?: string): Promise<string | undefined> => {
      const provisioner = as(role, organization).provisioner();
      const plan = await provisioner.plan(made(name));
      return (await provisioner.apply(plan, { allowShorten: false })).failure;
    };
    for (const role of ['operator', 'all-access', 'provisioner', 'other-operator'] as const) {
      expect(await provision(role, `by_${role}`), role).toBeUndefined();
    }
    expect(await provision('provisioner', 'by_id', own.organizationId)).toBeUndefined();
    expect(await provision('reader', 'by_reader')).toContain('lacks the permission to write the buckets');
    for (const role of ['writer', 'none', 'stranger'] as const) {
      expect(await provision(role, `by_${role}`), role).toMatch(
        /give the token read on the organization too|lacks the permission/,
      );
      await expect(as(role).provisioner().plan(made(own.bucket)), role).rejects.toThrow(/may not read the buckets/);
    }
    await expect(provision('unknown', 'by_nobody')).rejects.toThrow(/refuses the token/);
    await expect(provision('provisioner', 'nowhere', 'nobody')).rejects.toThrow(/no organization "nobody"/);
  });
});
