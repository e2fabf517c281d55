import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ProvisionItem, ProvisionResult } from '../../nodes/lib/influx/provision';
import { connect } from '../../nodes/lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../../nodes/lib/influx/server';
import { startFaultProxy } from '../support/facade/fault-proxy';
import type { SeenRequest } from '../support/facade/faults';
import type { FaultyServer } from '../support/facade/faulty-server';
import { Influx2Facade } from '../support/facade/influx2';
import { Influx3Facade } from '../support/facade/influx3';
import { influxdBehind, targetKinds, uniqueName, type Target } from '../support/facade/targets';
import { startInfluxd, type Influxd } from '../support/influxd';

const HOUR = 3600;
const DAY = 24 * HOUR;

function wanted(retentions: Record<string, number>): Map<string, { retention: number }> {
  return new Map(Object.entries(retentions).map(([name, retention]) => [name, { retention }]));
}

/** A request that changes what is there. */
function isChange({ method, path, body }: SeenRequest): boolean {
  if (path === '/query') return /CREATE|ALTER/.test(new URLSearchParams(body.toString()).get('q') ?? '');
  return ['POST', 'PATCH', 'PUT'].includes(method) && /buckets|configure/.test(path);
}

const opened: InfluxServer[] = [];
afterAll(() => {
  for (const each of opened) each.close();
});

function open(options: ConnectOptions): InfluxServer {
  const opening = connect(options);
  opened.push(opening);
  return opening;
}

describe.each(targetKinds())('provisioning of $name', ({ version, start }) => {
  let target: Target;
  let server: InfluxServer;
  let proxy: FaultyServer;
  let names: string[] = [];

  beforeAll(async () => {
    target = await start();
    server = open(target.options);
    proxy = await startFaultProxy(target.options.url);
  });

  afterEach(async () => {
    proxy.faults.heal();
    await target.cleanUp(...names.splice(0));
  });

  afterAll(() => target.assertHonest());

  /** Removed after the test. */
  function newName(): string {
    const name = uniqueName();
    names.push(name);
    return name;
  }

  async function plan(retentions: Record<string, number>, by = server): Promise<ProvisionItem[]> {
    const { items } = await by.provisioner().plan(wanted(retentions));
    return items.filter(({ bucket }) => bucket in retentions || names.includes(bucket));
  }

  async function apply(retentions: Record<string, number>, allowShorten = false, by = server) {
    const provisioner = by.provisioner();
    const steps: [string, ProvisionResult][] = [];
    const made = await provisioner.plan(wanted(retentions));
    const report = await provisioner.apply(made, { allowShorten }, ({ bucket }, result) =>
      steps.push([bucket, result]),
    );
    return { ...report, steps };
  }

  test('from empty to applied to nothing left to do, and again', async () => {
    const [first, second] = [newName(), newName()];
    const retentions = { [first]: DAY, [second]: 30 * DAY };
    expect(await plan(retentions)).toMatchObject([
      { bucket: first, state: 'missing', wanted: { retention: DAY }, change: 'create' },
      { bucket: second, state: 'missing', wanted: { retention: 30 * DAY }, change: 'create' },
    ]);
    const { steps, failure, items } = await apply(retentions);
    expect(failure).toBeUndefined();
    expect(steps).toEqual([
      [first, { outcome: 'done' }],
      [second, { outcome: 'done' }],
    ]);
    expect(items).toContainEqual(expect.objectContaining({ bucket: first, outcome: 'done' }));
    const shards = version === '3' ? [{}, {}] : [{ shard: HOUR }, { shard: DAY }];
    expect(await plan(retentions)).toMatchObject([
      { bucket: first, state: 'same', found: { retention: DAY, ...shards[0] }, change: 'none' },
      { bucket: second, state: 'same', found: { retention: 30 * DAY, ...shards[1] }, change: 'none' },
    ]);
    expect((await apply(retentions)).steps).toEqual([]);
    const line = `m f=1 ${BigInt(Date.now()) * 1_000_000n}`;
    expect(await server.write(first, line, new AbortController().signal)).toEqual({ kind: 'written' });
  });

  test('a plan changes nothing', async () => {
    const name = newName();
    await plan({ [name]: DAY });
    expect(await plan({ [name]: DAY })).toMatchObject([{ state: 'missing' }]);
  });

  test('drift made by hand is reported and mended', async () => {
    const name = newName();
    const retentions = { [name]: 2 * DAY };
    await apply(retentions);
    await target.setRetention(name, 5 * HOUR);
    expect(await plan(retentions)).toMatchObject([
      { state: 'different', found: { retention: 5 * HOUR }, change: 'lengthen' },
    ]);
    expect((await apply(retentions)).steps).toEqual([[name, { outcome: 'done' }]]);
    expect(await plan(retentions)).toMatchObject([{ state: 'same' }]);

    await target.setRetention(name, 0);
    expect(await plan(retentions)).toMatchObject([{ state: 'different', found: { retention: 0 }, change: 'shorten' }]);

    await target.cleanUp(name);
    expect(await plan(retentions)).toMatchObject([{ state: 'missing', change: 'create' }]);
  });

  test('a retention is shortened only when that is confirmed', async () => {
    const name = newName();
    await apply({ [name]: 30 * DAY });
    const { steps, failure } = await apply({ [name]: 12 * HOUR });
    const reason = expect.stringMatching(/from 30d to 12h deletes points/) as string;
    expect(steps).toEqual([[name, { outcome: 'unconfirmed', reason }]]);
    expect(failure).toBeUndefined();
    expect(await plan({ [name]: 30 * DAY })).toMatchObject([{ state: 'same' }]);
    expect((await apply({ [name]: 12 * HOUR }, true)).steps).toEqual([[name, { outcome: 'done' }]]);
    expect(await plan({ [name]: 12 * HOUR })).toMatchObject([{ state: 'same' }]);
  });

  test('surplus is reported and never touched', async () => {
    const [name, surplus] = [newName(), newName()];
    await apply({ [surplus]: 3 * DAY });
    const item = { bucket: surplus, state: 'surplus', found: { retention: 3 * DAY }, change: 'none' };
    expect(await plan({ [name]: DAY })).toMatchObject([{ bucket: name, state: 'missing' }, item]);
    await apply({ [name]: DAY }, true);
    expect(await plan({ [name]: DAY })).toMatchObject([{ bucket: name, state: 'same' }, item]);
    const { items } = await server.provisioner().plan(new Map());
    expect(items.filter(({ bucket }) => bucket.startsWith('_'))).toEqual([]);
  });

  test('a retention below an hour is refused before anything is changed', async () => {
    const [good, bad] = [newName(), newName()];
    await expect(plan({ [good]: DAY, [bad]: HOUR - 1 })).rejects.toMatchObject({
      code: 'provision-failed',
      message: expect.stringContaining('an hour at least') as string,
    });
    expect(await plan({ [good]: DAY })).toMatchObject([{ state: 'missing' }]);
  });

  test('what was done meanwhile is seen', async () => {
    const name = newName();
    const provisioner = server.provisioner();
    const old = await provisioner.plan(wanted({ [name]: DAY }));
    await apply({ [name]: 30 * DAY });
    const report = await provisioner.apply(old, { allowShorten: false });
    expect(report.items).toContainEqual(expect.objectContaining({ bucket: name, outcome: 'unconfirmed' }));
    expect(await plan({ [name]: 30 * DAY })).toMatchObject([{ state: 'same' }]);
  });

  test('several at once make a bucket, and none of them fails', async () => {
    const name = newName();
    const provisioners = [1, 2, 3].map(() => server.provisioner());
    const planned = await server.provisioner().plan(wanted({ [name]: DAY }));
    const reports = await Promise.all(provisioners.map((each) => each.apply(planned, { allowShorten: false })));
    expect(reports.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined]);
    expect(await plan({ [name]: DAY })).toMatchObject([{ state: 'same' }]);
  });

  test('an unreachable server is said to be that', async () => {
    const nowhere = open({ ...target.options, url: 'http://127.0.0.1:9' });
    await expect(plan({ [newName()]: DAY }, nowhere)).rejects.toMatchObject({
      code: 'provision-failed',
      message: expect.stringContaining('Nothing listens at 127.0.0.1:9') as string,
    });
    names = [];
  });

  test('wrong credentials are said to be that', async () => {
    const wrong = open({ ...target.options, token: 'wrong', password: 'wrong' });
    await expect(plan({ [newName()]: DAY }, wrong)).rejects.toMatchObject({
      code: 'provision-failed',
      message: expect.stringMatching(/^InfluxDB refuses the (token|user name and password)/) as string,
    });
    names = [];
  });

  test('a server that goes away half-way leaves a report of what was done', async () => {
    const [first, second, third] = [newName(), newName(), newName()];
    const flaky = open({ ...target.options, url: proxy.url });
    const retentions = { [first]: DAY, [second]: DAY, [third]: DAY };
    let changes = 0;
    proxy.faults.inject({ kind: 'reset' }, (request) => isChange(request) && ++changes > 1);
    const { steps, failure } = await apply(retentions, false, flaky);
    expect(steps).toMatchObject([
      [first, { outcome: 'done' }],
      [second, { outcome: 'failed' }],
      [third, { outcome: 'untried' }],
    ]);
    expect(failure).toContain(`"${second}": `);
    expect(failure).toContain(`Changed before or beside it: "${first}"`);
    expect(failure).toContain(`Not changed either: "${third}"`);
    proxy.faults.heal();
    expect((await apply(retentions, false, flaky)).steps).toEqual([
      [second, { outcome: 'done' }],
      [third, { outcome: 'done' }],
    ]);
  });
});

describe('provisioning of 1.x', () => {
  const admin = { username: 'admin', password: 'secret' };
  let influxd: Influxd;

  beforeAll(async () => {
    influxd = await startInfluxd({ admin });
    await influxd.createDatabase('there', { raw: '1d' });
    for (const [user, privilege] of [
      ['reader', 'READ'],
      ['writer', 'WRITE'],
    ] as const) {
      await influxd.query(`CREATE USER "${user}" WITH PASSWORD 'secret'`);
      await influxd.query(`GRANT ${privilege} ON "there" TO "${user}"`);
    }
  });

  function as(username: string, database = 'there') {
    const options = { version: '1' as const, url: influxd.url, timeout: 10_000, password: 'secret' };
    return open({ ...options, username, database }).provisioner();
  }

  test('a missing database is made, without a policy that keeps points for ever', async () => {
    const buckets = wanted({ 'raw "x"': DAY, averages: 30 * DAY });
    const database = 'new "one"';
    const provisioner = as('admin', database);
    const plan = await provisioner.plan(buckets);
    expect(plan.items.map(({ note }) => note)).toEqual([1, 2].map(() => 'the database "new "one"" is created with it'));
    expect(await provisioner.apply(plan, { allowShorten: false })).not.toHaveProperty('failure');
    const { items } = await provisioner.plan(buckets);
    expect(items).toMatchObject([
      { bucket: 'raw "x"', state: 'same' },
      { bucket: 'averages', state: 'same' },
    ]);
  });

  test('the policy that InfluxDB makes by itself is surplus that keeps its points for ever', async () => {
    await influxd.query('CREATE DATABASE plain');
    const { items } = await as('admin', 'plain').plan(new Map());
    expect(items).toMatchObject([
      {
        bucket: 'autogen',
        state: 'surplus',
        found: { retention: 0, shard: 7 * DAY },
        note: expect.stringContaining('for ever') as string,
      },
    ]);
  });

  test('who may only read can plan, and is told what is missing to apply', async () => {
    const provisioner = as('reader');
    const plan = await provisioner.plan(wanted({ raw: DAY, events: 365 * DAY, averages: DAY }));
    const { items, failure } = await provisioner.apply(plan, { allowShorten: true });
    expect(items.slice(1, 3)).toMatchObject([
      { bucket: 'events', outcome: 'failed', reason: expect.stringContaining('GRANT ALL PRIVILEGES') as string },
      { bucket: 'averages', outcome: 'untried' },
    ]);
    expect(failure).toContain('Nothing was changed');
  });

  test('who may only write is told what is missing to plan', async () => {
    await expect(as('writer').plan(wanted({ raw: DAY }))).rejects.toThrow(/grant it READ there \(.*\)/);
  });
});

describe('provisioning of 2.x, façade', () => {
  let facade: Influx2Facade;

  beforeAll(async () => {
    facade = await Influx2Facade.start(await influxdBehind());
  });

  afterAll(() => facade.assertHonest());

  function as(token: string, organization = facade.organization) {
    return open({ version: '2', url: facade.url, organization, token, timeout: 10_000 }).provisioner();
  }

  test('a token that may only write is told what it needs', async () => {
    const bucket = uniqueName();
    await facade.createBucket(bucket, DAY);
    facade.allow('writer', { read: [], write: [bucket] });
    await expect(as('writer').plan(wanted({ [bucket]: DAY }))).rejects.toThrow(
      /may not read the buckets of the organization "test": give it one that may read and write/,
    );
  });

  test('rights on all buckets, without the organization, are enough beside a bucket or with the id', async () => {
    const empty = await Influx2Facade.start(await influxdBehind());
    const buckets = wanted({ raw: DAY, events: DAY });
    const provisioner = (organization: string) =>
      open({ version: '2', url: empty.url, organization, token: 'all buckets', timeout: 10_000 }).provisioner();
    empty.allow('all buckets', { read: 'all', write: 'all' });
    const byName = provisioner(empty.organization);
    const plan = await byName.plan(buckets);
    expect(plan.items).toEqual(
      ['raw', 'events'].map((bucket) => ({ bucket, state: 'missing', wanted: { retention: DAY }, change: 'create' })),
    );
    const { failure } = await byName.apply(plan, { allowShorten: false });
    expect(failure).toMatch(/give the id instead of the name .* or give the token read on the organization too/);

    const byId = provisioner(empty.organizationId);
    expect((await byId.apply(await byId.plan(buckets), { allowShorten: false })).failure).toBeUndefined();
    expect((await byName.plan(buckets)).items.map(({ state }) => state)).toEqual(['same', 'same']);
    await empty.deleteBucket('raw');
    const repair = await byName.apply(await byName.plan(buckets), { allowShorten: false });
    expect(repair.items).toMatchObject([{ bucket: 'raw', outcome: 'done' }, { state: 'same' }]);
    empty.assertHonest();
  });

  test('a token that may only read can plan, and is told what is missing to apply', async () => {
    facade.allow('reader', { read: 'all', write: [] });
    const provisioner = as('reader');
    const plan = await provisioner.plan(wanted({ [uniqueName()]: DAY, [uniqueName()]: DAY }));
    const { items, failure } = await provisioner.apply(plan, { allowShorten: true });
    expect(items.slice(0, 2)).toMatchObject([
      { outcome: 'failed', reason: expect.stringContaining('lacks the permission to write the buckets') as string },
      { outcome: 'untried' },
    ]);
    expect(failure).toContain('Nothing was changed');
  });

  test('a bucket that the token may not see is a clash of names, and the others are made', async () => {
    const [seen, hidden, other] = [uniqueName(), uniqueName(), uniqueName()];
    await facade.createBucket(seen, DAY);
    await facade.createBucket(hidden, DAY);
    await facade.createBucket(other, HOUR);
    facade.allow('limited', { read: [seen, other], write: 'all' });
    const provisioner = as('limited');
    const plan = await provisioner.plan(wanted({ [seen]: DAY, [hidden]: DAY, [other]: DAY }));
    expect(plan.items).toMatchObject([
      { bucket: seen, state: 'same' },
      { bucket: hidden, state: 'missing', note: expect.stringContaining('the token may not see it') as string },
      { bucket: other, state: 'different' },
    ]);
    const { items, failure } = await provisioner.apply(plan, { allowShorten: false });
    expect(items).toMatchObject([
      {},
      { outcome: 'failed', reason: expect.stringContaining('a bucket of that name is there') as string },
      { outcome: 'done' },
    ]);
    expect(failure).toContain(`Changed before or beside it: "${other}"`);
  });

  test('a bucket that somebody else makes at the same moment is no fault', async () => {
    const buckets = wanted({ [uniqueName()]: DAY, [uniqueName()]: DAY });
    const provisioners = Array.from({ length: 4 }, () => as('test-token'));
    const plan = await as('test-token').plan(buckets);
    const reports = await Promise.all(provisioners.map((each) => each.apply(plan, { allowShorten: false })));
    expect(reports.map(({ failure }) => failure)).toEqual(reports.map(() => undefined));
  });

  test('a mapping by which InfluxQL would read another bucket is told, and is not for the node to remove', async () => {
    const [mapped, other] = [uniqueName(), uniqueName()];
    await facade.createBucket(mapped, DAY);
    await facade.createBucket(other, DAY);
    facade.mapDatabase(mapped, other);
    const provisioner = as('test-token');
    const plan = await provisioner.plan(wanted({ [mapped]: DAY, [other]: DAY }));
    expect(plan.items.slice(0, 2)).toMatchObject([
      { state: 'different', change: 'none', note: expect.stringContaining('remove the DBRP mapping') as string },
      { state: 'same' },
    ]);
    expect((await provisioner.apply(plan, { allowShorten: true })).failure).toBeUndefined();
  });

  test('an organization that is not there', async () => {
    await expect(as('test-token', 'nobody').plan(new Map())).rejects.toThrow(/no organization "nobody"/);
  });

  test('buckets beyond the first page are found, and all surplus is', async () => {
    const large = await Influx2Facade.start(await influxdBehind());
    for (let index = 0; index < 120; index++) await large.createBucket(`b${index}`, DAY, HOUR);
    // Of the first hundred it does not see InfluxDB's own.
    large.allow('all buckets', { read: 'all', write: 'all' });
    for (const token of ['test-token', 'all buckets']) {
      const options = { organization: large.organization, token, timeout: 10_000 };
      const { items } = await open({ version: '2', url: large.url, ...options })
        .provisioner()
        .plan(wanted({ b119: DAY, missing: DAY }));
      expect(items[0]).toMatchObject({ bucket: 'b119', state: 'same' });
      expect(items[1]).toEqual({ bucket: 'missing', state: 'missing', wanted: { retention: DAY }, change: 'create' });
      expect(items.filter(({ state }) => state === 'surplus')).toHaveLength(119);
    }
    large.assertHonest();
  });
});

describe('provisioning of 3.x, façade', () => {
  async function start() {
    const facade = await Influx3Facade.start(await influxdBehind());
    const provisioner = open({ version: '3', url: facade.url, token: 'test-token', timeout: 10_000 }).provisioner();
    return { facade, provisioner };
  }

  test('more databases than InfluxDB 3 Core holds: nothing is changed, and the plan says so', async () => {
    const { facade, provisioner } = await start();
    for (const name of ['a', 'b', 'c', 'd']) await facade.createDatabase(name, DAY);
    const plan = await provisioner.plan(wanted({ a: 2 * DAY, x: DAY, y: DAY }));
    expect(plan.obstacle).toMatch(/5 databases at most: 4 are there and 2 more are wanted/);
    const { items, failure } = await provisioner.apply(plan, { allowShorten: false });
    expect(items.slice(0, 3).map(({ outcome }) => outcome)).toEqual(['untried', 'untried', 'untried']);
    expect(failure).toContain('Nothing was changed');
    expect((await provisioner.plan(wanted({ a: DAY, x: DAY }))).obstacle).toBeUndefined();
    facade.assertHonest();
  });

  test('a server that does not let a retention be changed', async () => {
    const { facade, provisioner } = await start();
    await facade.createDatabase('a', DAY);
    facade.faults.inject({ kind: 'answer', status: 405, body: '' }, ({ method }) => method === 'PUT');
    const buckets = wanted({ a: 2 * DAY, b: DAY });
    const { items, failure } = await provisioner.apply(await provisioner.plan(buckets), { allowShorten: false });
    expect(items).toMatchObject([
      { outcome: 'failed', reason: expect.stringContaining('does not let the retention') as string },
      { bucket: 'b', outcome: 'done' },
    ]);
    expect(failure).toContain('Changed before or beside it: "b"');
    facade.assertHonest();
  });

  test('a server that takes a change and does not make it', async () => {
    const { facade, provisioner } = await start();
    await facade.createDatabase('a', DAY);
    facade.faults.inject({ kind: 'answer', status: 200, body: '' }, ({ method }) => method === 'PUT');
    const { items } = await provisioner.apply(await provisioner.plan(wanted({ a: 2 * DAY })), { allowShorten: false });
    expect(items).toMatchObject([
      { outcome: 'failed', reason: 'InfluxDB took the change, and yet has a retention of 1d' },
    ]);
  });
});
