import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { attachUser, outboxOf, releaseOutbox } from '../../../nodes/iot-sign-publish/shared-outboxes';
import type { Outbox } from '../../../nodes/lib/action/outbox';
import type { ActionRecord, StepTaken } from '../../../nodes/lib/action/record';
import type { OutboxUser } from '../../../nodes/lib/action/users';
import { prefixRange } from '../../../nodes/lib/store/keys';
import { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { interceptBatches } from '../store/level-batches';

let directory: string;
/** Somebody else, as an influx-server, keeps it open. */
let store: Store;

beforeEach(async () => {
  directory = tempDirectory('outboxes');
  store = await Store.open(directory);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
});

class TestUser implements OutboxUser {
  readonly ends: string[] = [];
  readonly founds: string[] = [];
  readonly steps: string[] = [];

  log({ id }: ActionRecord, { step }: StepTaken): Promise<void> {
    this.steps.push(`${id} ${step}`);
    return Promise.resolve();
  }

  reached({ id, failure }: ActionRecord, { step }: StepTaken): void {
    this.ends.push(`${id} ${failure?.code ?? step}`);
  }

  found({ id }: ActionRecord): void {
    this.founds.push(id);
  }

  answerFilters(): string[] {
    return [];
  }

  expectsAnswersOn(): boolean {
    return false;
  }

  judge(): undefined {
    return undefined;
  }

  answered = vi.fn();
  changed = vi.fn();
  report = vi.fn();
}

/** Nothing listens there: what is created waits. */
function start(broker: string, node: string): { outbox: Outbox; user: TestUser } {
  const address = { url: 'mqtt://127.0.0.1:1', options: { reconnectPeriod: 50 } };
  const outbox = outboxOf({ directory, broker, address });
  const user = new TestUser();
  attachUser(directory, broker, node, user);
  return { outbox, user };
}

function action(id: string, node = 'node', expires = Date.now() + 60_000): Omit<ActionRecord, 'steps'> {
  return { id, kind: 'action', node, origin: '', topic: 'a', message: id, created: Date.now(), expires };
}

async function stored(prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of store.pages(prefixRange(prefix))) keys.push(...page.map(([key]) => key));
  return keys;
}

test('what was left at a broker that nobody uses any more is told to its node, and gone then', async () => {
  const before = start('broker-1', 'node');
  await before.outbox.create(action('unsent'));
  await releaseOutbox('broker-1', 'node', false);
  const record = {
    ...action('sent'),
    steps: [
      { step: 'created', time: '1' },
      { step: 'sent', time: '2' },
    ],
  };
  const packet = { id: 1, message: 'sent', qos: 2, session: 's' };
  await store.batch(
    [
      { type: 'put', key: 'action/broker-1/0000000000000f', value: Buffer.from(JSON.stringify(record)) },
      { type: 'put', key: 'packet/broker-1/00000000000001', value: Buffer.from(JSON.stringify(packet)) },
    ],
    { sync: true },
  );
  const { user } = start('broker-2', 'node');
  await expect.poll(() => user.ends).toEqual(['unsent expired', 'sent uncertain']);
  expect(user.founds).toEqual(['unsent', 'sent']);
  expect(user.steps).toEqual(['unsent created', 'sent created', 'sent sent', 'unsent failed', 'sent failed']);
  await expect.poll(() => stored('action/')).toEqual([]);
  await expect.poll(() => stored('packet/')).toEqual([]);
  await releaseOutbox('broker-2', 'node', false);
});

test('what was left at a broker that others use is not sent any more, and told when it has expired', async () => {
  const other = start('broker-1', 'other');
  const before = start('broker-1', 'node');
  await before.outbox.create(action('a', 'node', Date.now() + 500));
  await releaseOutbox('broker-1', 'node', false);
  const { user } = start('broker-2', 'node');
  await expect.poll(() => user.ends, { timeout: 3000 }).toEqual(['a expired']);
  expect(other.user.ends).toEqual([]);
  await expect.poll(() => stored('action/')).toEqual([]);
  await releaseOutbox('broker-1', 'other', false);
  await releaseOutbox('broker-2', 'node', false);
});

test('what was left by a node that is gone is kept for a day', async () => {
  const before = start('broker-1', 'gone');
  await before.outbox.create(action('new', 'gone'));
  await before.outbox.create(action('old', 'gone', Date.now() - 86_400_001));
  await releaseOutbox('broker-1', 'gone', false);
  const { user } = start('broker-2', 'node');
  await expect.poll(() => stored('action/')).toHaveLength(1);
  expect(user.ends).toEqual([]);
  await releaseOutbox('broker-2', 'node', false);
  const again = start('broker-1', 'gone');
  await expect.poll(() => again.user.founds).toEqual(['new']);
  await releaseOutbox('broker-1', 'gone', false);
});

test('an action that is being stored during a deploy is there after it', async () => {
  const before = start('broker-1', 'node');
  await before.outbox.create(action('first'));
  // The disk is slow: the deploy comes while it is at work.
  const disk = new EventEmitter();
  interceptBatches(async ({ apply }) => {
    const free = once(disk, 'free');
    disk.emit('busy');
    await free;
    await apply();
  });
  const busy = once(disk, 'busy');
  const creating = before.outbox.create(action('second'));
  await busy;
  const releasing = releaseOutbox('broker-1', 'node', false);
  vi.restoreAllMocks();
  disk.emit('free');
  await releasing;
  const { outbox, user } = start('broker-1', 'node');
  await creating;
  await outbox.create(action('third'));
  expect(user.founds).toEqual(['first', 'second']);
  expect(await stored('action/broker-1/')).toHaveLength(3);
  await releaseOutbox('broker-1', 'node', false);
});
