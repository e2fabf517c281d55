import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Journal } from '../../../nodes/lib/action/journal';
import { SystemClock } from '../../../nodes/lib/action/clock';
import type { ActionRecord } from '../../../nodes/lib/action/record';
import { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { failingBatches } from '../store/level-batches';

const open: Journal[] = [];
let store: Store;
let told: string[];
let failures: unknown[];

beforeEach(async () => {
  store = await Store.open(tempDirectory('journal'), { retryMilliseconds: 20 });
  [told, failures] = [[], []];
});

afterEach(async () => {
  for (const journal of open.splice(0)) journal.close();
  await store.close();
  vi.restoreAllMocks();
});

async function load(before?: Journal): Promise<Journal> {
  const listener = {
    stepTaken: ({ id }: ActionRecord, { step }: { step: string }) => void told.push(`${id} ${step}`),
    due: () => undefined,
    failed: (error: unknown) => void failures.push(error),
  };
  const journal = await Journal.load(store, 'broker', listener, new SystemClock(), before);
  open.push(journal);
  return journal;
}

function action(id: string, more: Partial<ActionRecord> = {}): Omit<ActionRecord, 'steps'> {
  const [created, expires] = [Date.now(), Date.now() + 60_000];
  return { id, kind: 'action', node: 'n', origin: 'm', topic: 't', message: '{}', created, expires, ...more };
}

const ANSWER = { topic: 't/ack', within: 1000 };

/** What a packet does to an action: each change is stored with it. */
async function change(journal: Journal, id: string, kind: 'sent' | 'released' | 'finished' | 'lost'): Promise<void> {
  await store.batch(journal.changing(id, kind === 'lost' ? { kind, reason: 'a test' } : { kind }), { sync: true });
  journal.changed(id);
}

describe('the journal', () => {
  test('gives actions out in their order, once', async () => {
    const journal = await load();
    await Promise.all(['a', 'b', 'c'].map((id) => journal.create(action(id))));
    const first = journal.take();
    expect(first?.id).toBe('a');
    if (first) journal.later(first);
    expect([journal.take()?.id, journal.take()?.id, journal.take()?.id, journal.take()?.id]).toEqual([
      'a',
      'b',
      'c',
      undefined,
    ]);
  });

  test('tells a step only when that very step is stored', async () => {
    const journal = await load();
    await journal.create(action('a'));
    const sent = journal.changing('a', { kind: 'sent' });
    const finished = journal.changing('a', { kind: 'finished' });
    await store.batch(sent, { sync: true });
    journal.changed('a');
    expect(told).toEqual(['a created', 'a sent']);
    await store.batch(finished, { sync: true });
    journal.changed('a');
    expect(told).toEqual(['a created', 'a sent', 'a published']);
  });

  test('goes on after a restart: what was in flight is, what was not is due, what is over is told', async () => {
    const before = await load();
    for (const id of ['waiting', 'in flight', 'over', 'forgotten']) await before.create(action(id));
    await change(before, 'in flight', 'sent');
    for (const id of ['over', 'forgotten'])
      for (const kind of ['sent', 'finished'] as const) await change(before, id, kind);
    before.forget('forgotten');
    await store.batch([], { sync: true });
    const after = await load();
    after.start(new Set(['in flight']));
    const found = [...after].map(({ record, steps }) => [record.id, steps.at(-1)?.step]);
    expect(found).toEqual([
      ['waiting', 'created'],
      ['in flight', 'sent'],
      ['over', 'published'],
    ]);
    expect([after.isOver('over'), after.isComplete('over'), after.isOver('waiting')]).toEqual([true, true, false]);
    await expect.poll(() => after.take()?.id).toBe('waiting');
    expect(after.take()).toBeUndefined();
  });

  test('ends what has expired while it waits for its turn', async () => {
    const journal = await load();
    await journal.create(action('late', { expires: Date.now() + 1 }));
    await expect.poll(() => told).toEqual(['late created', 'late failed']);
    expect(journal.find('late')?.failure?.code).toBe('expired');
    expect(journal.take()).toBeUndefined();
  });

  test('takes an answer once', async () => {
    const journal = await load();
    await journal.create(action('a', { answer: ANSWER }));
    await change(journal, 'a', 'sent');
    await journal.answered('a', { id: 'a', note: 'done' });
    await journal.answered('a', { id: 'a', note: 'again' });
    await journal.answered('unknown', { id: 'unknown' });
    expect(told).toEqual(['a created', 'a sent', 'a published', 'a acknowledged']);
    expect(journal.find('a')?.acknowledgement).toEqual({ id: 'a', note: 'done' });
    journal.forget('a');
    expect([journal.isOver('a'), journal.isOver('b'), journal.size]).toEqual([true, false, 0]);
    // Its packet may end later; and the key of an action is used again.
    expect(journal.changing('a', { kind: 'finished' })).toEqual([]);
  });

  test('has not what it said it could not store, even if the store has it', async () => {
    const journal = await load();
    await journal.create(action('stored'));
    failingBatches().failNext('applied');
    await expect(journal.create(action('unsure'))).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(failures.length).toBeGreaterThan(0);
    journal.close();
    await expect.poll(() => store.fault).toBeUndefined();
    expect((await load()).find('unsure')).toBeDefined();
    const after = await load(journal);
    after.start(new Set());
    expect([...after].map(({ record }) => record.id)).toEqual(['stored']);
    expect([...(await load())].map(({ record }) => record.id)).toEqual(['stored']);
  });

  test('throws away what nobody can read', async () => {
    const journal = await load();
    await journal.create(action('a'));
    for (const value of ['{', 'null', '{"id":1}']) {
      await store.batch(
        [{ type: 'put', key: `action/broker/000000000000${value.length}f`, value: Buffer.from(value) }],
        {
          sync: true,
        },
      );
    }
    expect([...(await load())].map(({ record }) => record.id)).toEqual(['a']);
  });
});

test('the clock never shows a nanosecond twice', () => {
  const clock = new SystemClock();
  const times = Array.from({ length: 1000 }, () => BigInt(clock.next()));
  expect(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0n))).toBe(true);
});
