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
  const packet = kind === 'lost' ? { kind, reason: 'the broker says so' } : { kind };
  await store.batch(journal.changing(id, packet), { sync: true });
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
    expect([after.isComplete('over'), after.isComplete('waiting')]).toEqual([true, false]);
    await expect.poll(() => after.take()?.id).toBe('waiting');
    expect(after.take()).toBeUndefined();
  });

  test('ends what has expired while it waits for its turn', async () => {
    const journal = await load();
    journal.start(new Set());
    await journal.create(action('late', { expires: Date.now() + 1 }));
    await expect.poll(() => told).toEqual(['late created', 'late failed']);
    expect(journal.find('late')?.failure?.code).toBe('expired');
    expect(journal.take()).toBeUndefined();
  });

  test('takes an answer once', async () => {
    const journal = await load();
    await journal.create(action('a', { answer: ANSWER }));
    await change(journal, 'a', 'sent');
    const answer = (id: string, note: string, topic = ANSWER.topic) => journal.answered(id, topic, { id, note });
    expect(await answer('a', 'elsewhere', 't/other')).toBe('unknown-action');
    expect(await answer('a', 'done')).toBe('accepted');
    expect(await answer('a', 'again')).toBe('repeated');
    expect(await answer('unknown', 'done')).toBe('unknown-action');
    expect(told).toEqual(['a created', 'a sent', 'a published', 'a acknowledged']);
    expect(journal.find('a')?.acknowledgement).toEqual({ id: 'a', note: 'done' });
    journal.forget('a');
    expect([await answer('a', 'again'), journal.size]).toEqual(['repeated', 0]);
    // Its packet may end later; and the key of an action is used again.
    expect(journal.changing('a', { kind: 'finished' })).toEqual([]);
  });

  test('takes an answer to an action that was given up, keeps it, and forgets it again', async () => {
    const journal = await load();
    journal.start(new Set());
    journal.listens(true);
    await journal.create(action('a', { answer: { ...ANSWER, within: 1 }, expires: Date.now() + 20 }));
    await change(journal, 'a', 'sent');
    await expect.poll(() => told.at(-1)).toBe('a failed');
    journal.forget('a');
    await journal.create(action('b'));
    expect(await journal.answered('a', ANSWER.topic, { id: 'a' })).toBe('accepted');
    expect(told).toEqual(['a created', 'a sent', 'a failed', 'b created', 'a acknowledged']);
    const found = [...(await load())].map(({ record }) => [record.id, record.steps.at(-1)?.step]);
    expect(found).toEqual([
      ['b', 'created'],
      ['a', 'acknowledged'],
    ]);
    journal.forget('a');
    expect(await journal.answered('a', ANSWER.topic, { id: 'a' })).toBe('repeated');
    // Not where its node was removed.
    journal.discard('b');
    expect(journal.find('b')).toBeUndefined();
  });

  test('takes nothing over when it is closed: another one has the next number by then', async () => {
    const journal = await load();
    journal.close();
    await expect(journal.create(action('a'))).rejects.toMatchObject({ code: 'store-unavailable' });
    expect((await load()).size).toBe(0);
  });

  test('does not give out what was discarded while it waited for its turn', async () => {
    const journal = await load();
    await journal.create(action('a'));
    journal.discard('a');
    expect(journal.take()).toBeUndefined();
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

test('the clock follows one that is set back by more than a moment', () => {
  const clock = new SystemClock();
  const now = Date.now();
  const at = (milliseconds: number): bigint => {
    vi.spyOn(Date, 'now').mockReturnValue(milliseconds);
    return BigInt(clock.next());
  };
  const first = at(now);
  expect(at(now - 900)).toBe(first + 1n);
  expect(at(now - 3_600_000)).toBe(BigInt(now - 3_600_000) * 1_000_000n);
});
