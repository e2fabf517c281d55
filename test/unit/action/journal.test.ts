import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Journal } from '../../../nodes/lib/action/journal';
import { SystemClock } from '../../../nodes/lib/action/clock';
import type { ActionRecord } from '../../../nodes/lib/action/record';
import { decodeSignedTime, SignedTimes } from '../../../nodes/lib/action/signed-times';
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
    await Promise.all(['a', 'b', 'c'].map((id) => journal.create(action(id, { topic: id }))));
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
    for (const id of ['waiting', 'in flight', 'over', 'forgotten']) await before.create(action(id, { topic: id }));
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

describe('of the actions for one topic', () => {
  /** What is sent now. */
  const taken = (journal: Journal): (string | undefined)[] => {
    const ids: (string | undefined)[] = [];
    for (let next = journal.take(); next; next = journal.take()) ids.push(next.id);
    return ids;
  };

  test('one is under way at a time, each until it has ended, whatever its end', async () => {
    const journal = await load();
    for (const id of ['a', 'b', 'c', 'd']) await journal.create(action(id, { answer: ANSWER }));
    await journal.create(action('elsewhere', { topic: 'u' }));
    expect(taken(journal)).toEqual(['a', 'elsewhere']);
    expect([journal.sizeOf('t'), journal.waiting('n')]).toEqual([4, 3]);
    for (const kind of ['sent', 'released', 'finished'] as const) await change(journal, 'a', kind);
    // The broker has it, the device has not answered.
    expect(taken(journal)).toEqual([]);
    await journal.answered('a', ANSWER.topic, { id: 'a' });
    expect(taken(journal)).toEqual(['b']);
    await change(journal, 'b', 'sent');
    await journal.answered('b', ANSWER.topic, { id: 'b', ok: false, reason: 'jammed' });
    expect(journal.find('b')?.failure).toEqual({ code: 'not-performed', reason: 'the device says: jammed' });
    expect(taken(journal)).toEqual(['c']);
    journal.discard('c');
    expect(taken(journal)).toEqual(['d']);
    expect(journal.waiting('n')).toBe(0);
  });

  test('a newer one is not sent before the end of the older one is stored', async () => {
    const journal = await load();
    await journal.create(action('a'));
    await journal.create(action('b'));
    expect(taken(journal)).toEqual(['a']);
    await change(journal, 'a', 'sent');
    const finished = journal.changing('a', { kind: 'finished' });
    expect(taken(journal)).toEqual([]);
    await store.batch(finished, { sync: true });
    journal.changed('a');
    expect(taken(journal)).toEqual(['b']);
  });

  test('one that expires while it waits is never sent', async () => {
    const journal = await load();
    journal.start(new Set());
    await journal.create(action('a', { answer: ANSWER }));
    await change(journal, 'a', 'sent');
    await journal.create(action('b', { expires: Date.now() + 1 }));
    await journal.create(action('c'));
    await expect.poll(() => journal.find('b')?.failure?.code).toBe('expired');
    await expect.poll(() => told).toContain('b failed');
    expect(journal.find('b')?.failure?.reason).toContain('an older action');
    await journal.answered('a', ANSWER.topic, { id: 'a' });
    await expect.poll(() => taken(journal).filter((id) => id !== 'a')).toEqual(['c']);
  });

  test('the order holds over a restart', async () => {
    const before = await load();
    for (const id of ['a', 'b', 'c']) await before.create(action(id));
    before.close();
    const after = await load();
    after.start(new Set());
    await expect.poll(() => taken(after)).toEqual(['a']);
    for (const kind of ['sent', 'finished'] as const) await change(after, 'a', kind);
    expect(taken(after)).toEqual(['b']);
    await change(after, 'b', 'sent');
    after.close();
    const again = await load();
    // Its packet is unfinished.
    again.start(new Set(['b']));
    await expect.poll(() => again.waiting('n')).toBe(1);
    expect(taken(again)).toEqual([]);
    await change(again, 'b', 'finished');
    expect(taken(again)).toEqual(['c']);
  });

  test('a newer one ends the older ones where it is to, in one batch with itself', async () => {
    const journal = await load();
    await journal.create(action('a', { answer: ANSWER }));
    await journal.create(action('b', { answer: ANSWER }));
    expect(taken(journal)).toEqual(['a']);
    await change(journal, 'a', 'sent');
    await journal.create(action('c', { answer: ANSWER }), '1', true);
    expect(told).toEqual(['a created', 'b created', 'a sent', 'c created', 'a failed', 'b failed']);
    expect(['a', 'b'].map((id) => journal.find(id)?.failure?.code)).toEqual(['superseded', 'superseded']);
    expect(['a', 'b', 'c'].map((id) => journal.isWanted(id))).toEqual([false, false, true]);
    expect(taken(journal)).toEqual(['c']);
    // The device performed it in time, and says so.
    expect(await journal.answered('a', ANSWER.topic, { id: 'a' })).toBe('accepted');
    expect(await journal.answered('b', ANSWER.topic, { id: 'b', ok: false })).toBe('repeated');
    const found = await load();
    expect([...found].map(({ record }) => record.failure?.code)).toEqual(['superseded', 'superseded', undefined]);
  });

  test('nothing is superseded by what could not be stored', async () => {
    const journal = await load();
    await journal.create(action('a'));
    failingBatches().failNext('lost');
    await expect(journal.create(action('b'), '1', true)).rejects.toMatchObject({ code: 'store-unavailable' });
    journal.close();
    await expect.poll(() => store.fault).toBeUndefined();
    const after = await load(journal);
    after.start(new Set());
    await expect.poll(() => taken(after)).toEqual(['a']);
  });

  test('of several that an earlier release has sent at once, only the newest goes on', async () => {
    const step = (name: string) => ({ step: name, time: '1' });
    const records = [
      action('old', { answer: ANSWER, steps: [step('created'), step('sent'), step('published')] } as never),
      action('busy', { isBack: true, steps: [step('created'), step('sent')] } as never),
      action('newest', { answer: ANSWER, steps: [step('created'), step('sent')] } as never),
      action('next', { steps: [step('created')] } as never),
    ];
    await store.batch(
      records.map((record, index) => ({
        type: 'put' as const,
        key: `action/broker/0000000000000${index}`,
        value: Buffer.from(JSON.stringify(record)),
      })),
      { sync: true },
    );
    const journal = await load();
    journal.start(new Set());
    await expect.poll(() => taken(journal)).toEqual(['newest']);
    await expect.poll(() => told).toEqual(['old failed', 'busy failed']);
    expect(journal.find('old')?.failure?.code).toBe('superseded');
    await journal.answered('newest', ANSWER.topic, { id: 'newest' });
    expect(taken(journal)).toEqual(['next']);
  });

  test('alarms do not wait for each other', async () => {
    const journal = await load();
    for (const id of ['a', 'b']) await journal.create(action(id, { kind: 'alarm' }));
    expect(taken(journal)).toEqual(['a', 'b']);
  });
});

describe('signed times', () => {
  const clockAt = (milliseconds: number) => vi.spyOn(Date, 'now').mockReturnValue(milliseconds);
  const NOW = 1_800_000_000_000;
  const at = (milliseconds: number, more = 0n): string => String(BigInt(milliseconds) * 1_000_000n + more);

  test('are later than all before, also in one millisecond and where the clock is set back a little', () => {
    const times = new SignedTimes();
    clockAt(NOW);
    expect([times.next(), times.next()]).toEqual([{ time: at(NOW) }, { time: at(NOW, 1n) }]);
    clockAt(NOW - 59_000);
    expect(times.next()).toEqual({ time: at(NOW, 2n), setBack: { milliseconds: 59_000, isOrdered: true } });
    clockAt(NOW + 1);
    expect(times.next()).toEqual({ time: at(NOW + 1) });
  });

  test('follow a clock that is set back further than devices would take, and say so', () => {
    const times = new SignedTimes();
    clockAt(NOW);
    times.next();
    clockAt(NOW - 61_000);
    expect(times.next()).toEqual({
      time: at(NOW - 61_000),
      setBack: { milliseconds: 61_000, isOrdered: false },
    });
    expect(times.next()).toEqual({ time: at(NOW - 61_000, 1n) });
  });

  test('go on over a restart: the newest one is in the batch of its action', async () => {
    const journal = await load();
    await journal.create(action('a'), at(NOW, 5n));
    const stored = await store.get('signed/broker');
    const times = new SignedTimes();
    times.learn(decodeSignedTime(stored ?? Buffer.alloc(0)) ?? '0');
    clockAt(NOW - 30_000);
    expect(times.next()).toMatchObject({ time: at(NOW, 6n) });
  });

  test.each(['', 'null', '{"time":1}', '{"time":"x"}', '{'])('nothing is learnt from %j', (text) => {
    expect(decodeSignedTime(Buffer.from(text))).toBeUndefined();
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
