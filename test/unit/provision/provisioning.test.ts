import { expect, test } from 'vitest';
import { Provisioning } from '../../../nodes/influx-provision/provisioning';
import {
  KeeperProvisioner,
  ProvisionError,
  shardFor,
  type BucketKeeper,
  type FoundBucket,
  type Retention,
} from '../../../nodes/lib/influx/provision';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Buckets in memory; every change waits until it is let through. */
class FakeKeeper implements BucketKeeper {
  readonly buckets = new Map<string, FoundBucket>();
  /** What was asked for. */
  readonly changes: string[] = [];
  gate: Promise<void> = Promise.resolve();
  /** It can no longer be looked at once a change was sent. */
  blind = false;
  /** The change is made, and its answer lost. */
  losesAnswer = false;
  fault: ((name: string) => Error | undefined) | undefined;

  look() {
    return Promise.resolve({ found: [...this.buckets.values()] });
  }

  find(name: string): Promise<FoundBucket | undefined> {
    if (this.blind && this.changes.length > 0) return Promise.reject(new ProvisionError('InfluxDB is gone'));
    return Promise.resolve(this.buckets.get(name));
  }

  async create(name: string, retention: Retention): Promise<void> {
    this.changes.push(name);
    await this.gate;
    const fault = this.fault?.(name);
    if (fault) throw fault;
    this.buckets.set(name, { name, ...retention });
    if (this.losesAnswer) throw new ProvisionError('no answer within 5 s');
  }

  change({ name }: FoundBucket, retention: Retention): Promise<void> {
    return this.create(name, retention);
  }
}

function setUp(names: string[]) {
  const keeper = new FakeKeeper();
  const steps: string[] = [];
  const provisioning = new Provisioning({
    provisioner: () => new KeeperProvisioner(keeper),
    buckets: () => new Map(names.map((name) => [name, { retention: DAY }])),
    step: ({ bucket }, { outcome }) => steps.push(`${bucket} ${outcome}`),
    changed: () => undefined,
  });
  return { keeper, steps, provisioning };
}

test('commands are carried out one after the other', async () => {
  const { keeper, steps, provisioning } = setUp(['a', 'b']);
  let open = (): void => undefined;
  keeper.gate = new Promise((resolve) => (open = resolve));
  const applied = provisioning.carryOut({ name: 'apply', allowShorten: false });
  const planned = provisioning.carryOut({ name: 'plan', allowShorten: false });
  open();
  expect(await planned).toMatchObject({ rows: [{ state: 'same' }, { state: 'same' }] });
  expect(await applied).toMatchObject({ rows: [{ outcome: 'done' }, { outcome: 'done' }] });
  expect(steps).toEqual(['a done', 'b done']);
  expect(provisioning).toMatchObject({ working: undefined, failure: undefined, drift: { same: 2, missing: 0 } });
});

test('closed in the middle: what was begun is done, the rest is not, and the report says so', async () => {
  const { keeper, provisioning } = setUp(['a', 'b']);
  let open = (): void => undefined;
  keeper.gate = new Promise((resolve) => (open = resolve));
  const applied = provisioning.carryOut({ name: 'apply', allowShorten: false });
  while (keeper.changes.length === 0) await new Promise(setImmediate);
  const closed = provisioning.close();
  open();
  await closed;
  const { rows, failure } = await applied;
  expect(rows).toMatchObject([{ outcome: 'done' }, { outcome: 'untried' }]);
  expect(failure).toContain('Changed before or beside it: "a"');
  expect(keeper.changes).toEqual(['a']);
});

test('the trouble of one bucket does not keep others from being changed; any other does', async () => {
  const { keeper, provisioning } = setUp(['a', 'b', 'c']);
  const apply = { name: 'apply', allowShorten: false } as const;
  keeper.fault = (name) => (name === 'a' ? new ProvisionError('taken', { isOfBucket: true }) : undefined);
  expect(await provisioning.carryOut(apply)).toMatchObject({
    rows: [{ outcome: 'failed', reason: 'taken' }, { outcome: 'done' }, { outcome: 'done' }],
    failure: '"a": taken. Changed before or beside it: "b", "c"',
  });
  keeper.buckets.clear();
  keeper.fault = () => new ProvisionError('away');
  expect(await provisioning.carryOut(apply)).toMatchObject({
    rows: [{ outcome: 'failed' }, { outcome: 'untried' }, { outcome: 'untried' }],
    failure: '"a": away. Not changed either: "b", "c". Nothing was changed',
  });
  expect(provisioning.failure).toContain('away');
});

test.each([
  [HOUR, HOUR],
  [2 * DAY - 1, HOUR],
  [2 * DAY, DAY],
  [180 * DAY - 1, DAY],
  [180 * DAY, 7 * DAY],
  [0, 7 * DAY],
])('a retention of %i s has shard groups of %i s', (retention, shard) => {
  expect(shardFor(retention)).toBe(shard);
});

test('a change of which the answer is lost was made all the same', async () => {
  const { keeper } = setUp([]);
  keeper.losesAnswer = true;
  const provisioner = new KeeperProvisioner(keeper);
  const plan = await provisioner.plan(new Map(['a', 'b'].map((name) => [name, { retention: DAY }])));
  const report = await provisioner.apply(plan, { allowShorten: false });
  expect(report.failure).toBeUndefined();
  expect(report.items.map(({ outcome }) => outcome)).toEqual(['done', 'done']);
});

test.each([
  [false, 'InfluxDB is gone'],
  [true, 'no answer within 5 s'],
])('nobody says that nothing was changed when that is not known (answer lost: %s)', async (losesAnswer, words) => {
  const { keeper } = setUp([]);
  Object.assign(keeper, { losesAnswer, blind: true });
  const provisioner = new KeeperProvisioner(keeper);
  const plan = await provisioner.plan(new Map(['a', 'b'].map((name) => [name, { retention: DAY }])));
  const report = await provisioner.apply(plan, { allowShorten: false });
  expect(report.items.map(({ outcome }) => outcome)).toEqual(['failed', 'untried']);
  expect(report.failure).toBe(
    `"a": ${words}; it is not known whether it was changed: send plan. Not changed either: "b". Nothing else was changed`,
  );
});

test('shard groups of a length set by hand are drift, and are set right', async () => {
  const { keeper } = setUp([]);
  const provisioner = new KeeperProvisioner(keeper);
  const buckets = new Map([['a', { retention: 30 * DAY }]]);
  keeper.buckets.set('a', { name: 'a', retention: 30 * DAY, shard: 30 * DAY });
  const plan = await provisioner.plan(buckets);
  expect(plan.items).toMatchObject([
    { state: 'different', change: 'reshard', note: 'its shard groups are to be of 1d each' },
  ]);
  await provisioner.apply(plan, { allowShorten: false });
  expect(keeper.buckets.get('a')).toMatchObject({ retention: 30 * DAY, shard: DAY });
  expect((await provisioner.plan(buckets)).items).toMatchObject([{ state: 'same', change: 'none' }]);
});
