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
  fault: ((name: string) => Error | undefined) | undefined;

  look() {
    return Promise.resolve({ found: [...this.buckets.values()] });
  }

  find(name: string): Promise<FoundBucket | undefined> {
    return Promise.resolve(this.buckets.get(name));
  }

  async create(name: string, retention: Retention): Promise<void> {
    this.changes.push(name);
    await this.gate;
    const fault = this.fault?.(name);
    if (fault) throw fault;
    this.buckets.set(name, { name, ...retention });
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
