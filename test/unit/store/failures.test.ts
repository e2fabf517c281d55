import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PointQueue } from '../../../nodes/lib/store/queue';
import type { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { failingBatches } from './level-batches';
import { accept, acceptAll, closeAll, drain, imbalance, linesOf, openQueue, openStore } from './support';

afterEach(() => vi.restoreAllMocks());

async function setUp(limitBytes = 1e9): Promise<{
  store: Store;
  queue: PointQueue;
  directory: string;
  fail: ReturnType<typeof failingBatches>;
  recovered: () => Promise<unknown>;
}> {
  const directory = tempDirectory('failures');
  const store = await openStore(directory);
  const queue = await openQueue(store, { limitBytes });
  const fail = failingBatches();
  const available = vi.fn();
  queue.onAvailable(available);
  const recovered = async (): Promise<unknown> => {
    available.mockClear();
    return until('the queue can be read again', () => available.mock.calls.length > 0);
  };
  return { store, queue, directory, fail, recovered };
}

describe('when a batch fails', () => {
  it('exactly its points are refused, those that come before the store is open again at once, and the others stay', async () => {
    const { store, queue, fail, recovered } = await setUp();
    await acceptAll(queue, ['a v=1 1', 'a v=2 2']);
    fail.failNext('lost');
    const [one, two] = await acceptAll(queue, ['a v=3 3', 'a v=4 4']);
    expect(one).toMatchObject({ code: 'store-unavailable' });
    expect(one?.message).toContain(store.directory);
    expect(one?.message).toContain('No space left on device');
    expect(two).toBe(one);
    const again = recovered();
    expect(await accept(queue, 'a v=5 5')).toBe(one);
    expect(queue.totals()).toMatchObject({ accepted: 2, failed: 3, accepting: 0, queuedPoints: 2 });
    await again;
    expect(await accept(queue, 'a v=6 6')).toBeUndefined();
    expect(await drain(queue)).toEqual(['a v=1 1', 'a v=2 2', 'a v=6 6']);
    expect(imbalance(queue)).toBe(0);
  });

  it('but was applied all the same, its points are counted as recovered', async () => {
    const { queue, fail, recovered } = await setUp();
    await accept(queue, 'a v=1 1');
    fail.failNext('applied');
    expect(await accept(queue, 'a v=2 2')).toMatchObject({ code: 'store-unavailable' });
    await recovered();
    expect(queue.totals()).toMatchObject({ accepted: 1, failed: 1, recovered: 1, queuedPoints: 2 });
    await accept(queue, 'a v=3 3');
    expect(await drain(queue)).toEqual(['a v=1 1', 'a v=2 2', 'a v=3 3']);
    expect(imbalance(queue)).toBe(0);
  });

  it.each(['lost', 'applied'] as const)(
    'that removes points (%s), they are removed later, and counted once',
    async (how) => {
      const { queue, fail } = await setUp();
      await acceptAll(queue, ['a v=1 1', 'a v=2 2']);
      const chunks = await queue.take('raw', 10);
      fail.failNext(how);
      await queue.remove(chunks, { refused: [1] });
      expect(queue.totals()).toMatchObject({ written: 1, refused: 1, queuedPoints: 0, damaged: 0 });
      expect(imbalance(queue)).toBe(0);
      await accept(queue, 'a v=3 3');
      expect(await drain(queue)).toEqual(['a v=3 3']);
    },
  );

  it.each(['lost', 'applied'] as const)(
    'that was to drop points (%s), they are dropped only if they are gone',
    async (how) => {
      const line = (name: string): string => `${name} v=1 1`.padEnd(100, '0');
      const { queue, fail, recovered } = await setUp(200);
      for (const name of ['s1', 's2']) await accept(queue, line(name));
      fail.failNext(how);
      expect(await accept(queue, line('s3'))).toMatchObject({ code: 'store-unavailable' });
      await recovered();
      const expected = how === 'lost' ? ['s1', 's2'] : ['s2', 's3'];
      expect(queue.totals()).toMatchObject({ dropped: how === 'lost' ? 0 : 1, queuedPoints: 2, damaged: 0 });
      expect(await drain(queue)).toEqual(expected.map(line));
      expect(imbalance(queue)).toBe(0);
    },
  );

  it('chunks that somebody has can be removed and released as before', async () => {
    const { queue, fail, recovered } = await setUp();
    for (const line of ['a v=1 1', 'a v=2 2', 'a v=3 3']) await accept(queue, line);
    const first = await queue.take('raw', 1);
    const second = await queue.take('raw', 1);
    fail.failNext('lost');
    await accept(queue, 'a v=4 4');
    await recovered();
    await queue.remove(first);
    queue.release(second);
    expect(await drain(queue)).toEqual(['a v=2 2', 'a v=3 3']);
    expect(queue.totals()).toMatchObject({ accepted: 3, written: 3, queuedPoints: 0 });
  });

  it('again and again, nothing is lost, and closing waits for nothing', async () => {
    const { queue, directory, fail } = await setUp();
    await accept(queue, 'a v=1 1');
    const chunks = await queue.take('raw', 1);
    fail.failAll(true);
    let removed = false;
    const removal = queue.remove(chunks).then(() => {
      removed = true;
    });
    for (let round = 0; round < 3; round++) {
      expect(await accept(queue, 'a v=2 2')).toMatchObject({ code: 'store-unavailable' });
    }
    expect(removed).toBe(false);
    await closeAll();
    await removal;
    fail.failAll(false);
    const after = await openQueue(await openStore(directory));
    expect(linesOf(await after.take('raw', 10))).toEqual(['a v=1 1']);
  });

  it('of another queue in the same store, both go on', async () => {
    const { store, queue, fail, recovered } = await setUp();
    const other = await openQueue(store, {}, 's2');
    await Promise.all([accept(queue, 'a v=1 1'), accept(other, 'b v=1 1')]);
    fail.failNext('lost');
    await accept(other, 'b v=2 2');
    await recovered();
    await until('the other queue can be used again', async () => (await accept(other, 'b v=3 3')) === undefined);
    await accept(queue, 'a v=2 2');
    expect(await drain(queue)).toEqual(['a v=1 1', 'a v=2 2']);
    expect(await drain(other)).toEqual(['b v=1 1', 'b v=3 3']);
  });
});
