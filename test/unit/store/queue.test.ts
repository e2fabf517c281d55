import { afterEach, describe, expect, it, vi } from 'vitest';
import { PackError } from '../../../nodes/lib/errors';
import { PointQueue, type LostPoints } from '../../../nodes/lib/store/queue';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { interceptBatches } from './level-batches';
import { accept, acceptAll, closeAll, drain, imbalance, linesOf, openQueue, openStore } from './support';

afterEach(() => vi.restoreAllMocks());

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} v=${index} ${index + 1}`);
}

describe('a queue', () => {
  it('gives the points of a bucket in the order in which they came, and forgets what is removed', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    const lines = numbered('a', 50);
    for (const line of lines) await accept(queue, line);
    await accept(queue, 'b v=1 1', { bucket: 'other' });
    expect(queue.buckets().sort()).toEqual(['other', 'raw']);
    expect(queue.waiting('raw')).toBe(50);

    const chunks = await queue.take('raw', 5000);
    expect(linesOf(chunks)).toEqual(lines);
    expect(queue.waiting('raw')).toBe(0);
    expect(await queue.take('raw', 5000)).toEqual([]);
    expect(queue.totals()).toMatchObject({ accepted: 51, queuedPoints: 51, written: 0 });

    await queue.remove(chunks);
    expect(queue.totals()).toMatchObject({ accepted: 51, queuedPoints: 1, written: 50 });
    expect(queue.buckets()).toEqual(['other']);
    expect(await drain(queue, 'nowhere')).toEqual([]);
  });

  it('finds after a restart what was not removed, and counts it as recovered', async () => {
    const directory = tempDirectory('queue');
    const before = await openQueue(await openStore(directory));
    for (const line of numbered('a', 20)) await accept(before, line, { origin: 'w1' });
    await acceptAll(before, numbered('b', 5), { origin: 'w2', priority: 'event' });
    await before.remove(await before.take('raw', 10));
    // Taken but not removed: still in the queue.
    await before.take('raw', 4);
    const { queuedPoints, queuedBytes } = before.totals();
    await closeAll();

    const after = await openQueue(await openStore(directory));
    expect(queuedPoints).toBe(15);
    expect(after.totals()).toMatchObject({ recovered: 15, queuedPoints, queuedBytes, accepted: 0 });
    expect(after.totals('w1')).toMatchObject({ recovered: 15, queuedPoints: 15 });
    expect(await drain(after)).toEqual(numbered('a', 20).slice(5));
    expect(after.totals()).toMatchObject({ queuedPoints: 0, queuedBytes: 0, written: 15 });
    // Sequences go on: new points come after old ones.
    await accept(after, 'c v=1 1');
    await closeAll();
    expect(await drain(await openQueue(await openStore(directory)))).toEqual(['c v=1 1']);
  });

  it('gives events before sensors', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    await acceptAll(queue, ['s v=1 1', 's v=2 2']);
    await acceptAll(queue, ['e v=1 1'], { priority: 'event' });
    expect(linesOf(await queue.take('raw', 1))).toEqual(['e v=1 1']);
    expect(linesOf(await queue.take('raw', 5))).toEqual(['s v=1 1', 's v=2 2']);
  });

  it('stores a burst as several full chunks, so that a batch can be filled without exceeding it', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')), { chunkLines: 10 });
    const lines = numbered('a', 95);
    await acceptAll(queue, lines);
    const chunks = await queue.take('raw', 50);
    expect(chunks.map((chunk) => chunk.points)).toEqual([10, 10, 10, 10, 10]);
    expect([...linesOf(chunks), ...(await drain(queue))]).toEqual(lines);
  });

  it('stores lines that come close together as one chunk, and a full chunk at once', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')), {
      chunkLines: 10,
      chunkMilliseconds: 3_600_000,
    });
    const lines = numbered('a', 10);
    await acceptAll(queue, lines.slice(0, 10));
    const chunks = await queue.take('raw', 100);
    expect(chunks.map((chunk) => chunk.points)).toEqual([10]);
    expect(chunks[0]?.text()).toBe(lines.join('\n'));
  });

  it('stores everything there is when one chunk is full, with one batch', async () => {
    const store = await openStore(tempDirectory('queue'));
    const queue = await openQueue(store, { chunkLines: 3, chunkMilliseconds: 3_600_000 });
    const batches: boolean[] = [];
    interceptBatches(({ sync, apply }) => {
      batches.push(sync);
      return apply();
    });
    const other = [accept(queue, 'b v=1 1', { bucket: 'other' }), accept(queue, 'c v=1 1', { origin: 'w2' })];
    await acceptAll(queue, numbered('a', 3));
    await Promise.all(other);
    expect(batches).toEqual([true]);
    expect(queue.totals('w2')).toMatchObject({ accepted: 1, queuedPoints: 1 });
  });

  it('has one batch in flight, and all that arrives meanwhile in the next', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')), { chunkLines: 2 });
    let inFlight = 0;
    let most = 0;
    let batches = 0;
    interceptBatches(async ({ apply }) => {
      batches++;
      most = Math.max(most, ++inFlight);
      await apply();
      inFlight--;
    });
    await acceptAll(queue, numbered('a', 1000));
    expect(most).toBe(1);
    expect(batches).toBeLessThan(10);
    expect(queue.waiting('raw')).toBe(1000);
  });

  it('takes no more lines than asked for, but at least one chunk', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')), { chunkLines: 10 });
    for (let index = 0; index < 4; index++) await acceptAll(queue, numbered(`a${index}`, 10));
    expect((await queue.take('raw', 5)).map(({ points }) => points)).toEqual([10]);
    expect((await queue.take('raw', 25)).map(({ points }) => points)).toEqual([10, 10]);
    expect(queue.waiting('raw')).toBe(10);
  });

  it('gives released chunks again, in their old place', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    for (const line of ['a v=1 1', 'a v=2 2', 'a v=3 3', 'a v=4 4']) await accept(queue, line);
    const first = await queue.take('raw', 2);
    const second = await queue.take('raw', 1);
    queue.release(first);
    expect(queue.waiting('raw')).toBe(3);
    expect(linesOf(await queue.take('raw', 3))).toEqual(['a v=1 1', 'a v=2 2', 'a v=4 4']);
    await queue.remove(second);
    // Only what somebody has now can be given back or removed.
    expect(() => queue.release(first)).toThrow('is not taken');
    await expect(queue.remove(second)).rejects.toThrow('is not taken');
  });

  it('gives no chunk to two takers, whenever they ask', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    const lines = numbered('a', 40);
    for (const line of lines) await accept(queue, line);
    const takes = await Promise.all(Array.from({ length: 8 }, () => queue.take('raw', 7)));
    expect(takes.flatMap(linesOf)).toEqual(lines);
  });

  it('counts refused points by the node that accepted them', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    await acceptAll(queue, numbered('a', 4), { origin: 'w1' });
    await acceptAll(queue, numbered('b', 3), { origin: 'w2' });
    const chunks = await queue.take('raw', 100);
    await queue.remove(chunks, { refused: chunks.map(({ origin }) => (origin === 'w2' ? 2 : 0)) });
    expect(queue.totals('w1')).toMatchObject({ accepted: 4, written: 4, refused: 0 });
    expect(queue.totals('w2')).toMatchObject({ accepted: 3, written: 1, refused: 2 });
    expect(queue.totals()).toMatchObject({ written: 5, refused: 2 });
    expect(queue.origins().sort()).toEqual(['w1', 'w2']);
    for (const origin of [undefined, 'w1', 'w2']) expect(imbalance(queue, origin)).toBe(0);
  });

  it('keeps line breaks inside strings', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    const lines = ['a v="one\ntwo" 1', 'a v="three" 2'];
    await acceptAll(queue, lines);
    expect(await drain(queue)).toEqual(lines);
  });

  it('tells when points have come, after they were counted', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    const seen: [string, number][] = [];
    const end = queue.onAvailable((bucket) => seen.push([bucket, queue.waiting(bucket)]));
    await acceptAll(queue, ['a v=1 1', 'a v=2 2']);
    await until('told', () => seen.length > 0);
    end();
    await accept(queue, 'a v=3 3');
    expect(seen).toEqual([['raw', 2]]);
  });

  it('counts what is being accepted', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    const stored = acceptAll(queue, numbered('a', 3));
    expect(queue.totals()).toMatchObject({ accepting: 3, accepted: 0, queuedPoints: 0 });
    await stored;
    expect(queue.totals()).toMatchObject({ accepting: 0, accepted: 3, queuedPoints: 3 });
  });

  it('stores what was accepted before it is closed, and refuses what comes later', async () => {
    const directory = tempDirectory('queue');
    const store = await openStore(directory);
    const queue = await openQueue(store, { chunkMilliseconds: 3_600_000 });
    const stored = acceptAll(queue, numbered('a', 3));
    const closed = queue.close();
    const late = accept(queue, 'late v=1 1');
    expect(await stored).toEqual([undefined, undefined, undefined]);
    expect(await late).toMatchObject({ code: 'store-unavailable' });
    await closed;
    expect(queue.totals()).toMatchObject({ accepted: 3, failed: 1, accepting: 0 });
    expect(await drain(await openQueue(store))).toEqual(numbered('a', 3));
  });

  it('tells everybody even if one of them throws', async () => {
    const queue = await openQueue(await openStore(tempDirectory('queue')));
    const surfaced: unknown[] = [];
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => {
      try {
        task();
      } catch (error) {
        surfaced.push(error);
      }
    });
    const fault = new Error('the caller is at fault');
    queue.accept('raw', 'sensor', 'w1', 'a v=1 1', () => {
      throw fault;
    });
    expect(await accept(queue, 'a v=2 2')).toBeUndefined();
    expect(surfaced).toEqual([fault]);
    expect(await drain(queue)).toEqual(['a v=1 1', 'a v=2 2']);
  });

  it('lives beside another one in the same store', async () => {
    const store = await openStore(tempDirectory('queue'));
    const one = await openQueue(store, {}, 's1');
    const two = await openQueue(store, {}, 's10');
    await Promise.all([accept(one, 'a v=1 1'), accept(two, 'b v=2 2')]);
    expect(await drain(one)).toEqual(['a v=1 1']);
    expect(await drain(two)).toEqual(['b v=2 2']);
    await expect(PointQueue.open(store, 's1', { limitBytes: 1 })).rejects.toThrow('open already');
  });
});

describe('a queue that is full', () => {
  const line = (name: string): string => `${name} v=1 1`.padEnd(100, '0');

  async function limited(lines: number): Promise<{ queue: PointQueue; dropped: LostPoints[] }> {
    const queue = await openQueue(await openStore(tempDirectory('queue')), { limitBytes: lines * 100 });
    const dropped: LostPoints[] = [];
    queue.onDropped((lost) => dropped.push(lost));
    return { queue, dropped };
  }

  it('drops the oldest sensor points, of whatever bucket, and reports each', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_764_000_000_000 });
    const { queue, dropped } = await limited(6);
    for (const [index, bucket] of ['one', 'two', 'one', 'two', 'one', 'two'].entries()) {
      vi.advanceTimersByTime(10);
      expect(await accept(queue, line(`s${index}`), { bucket })).toBeUndefined();
    }
    for (let index = 6; index < 9; index++) {
      vi.advanceTimersByTime(10);
      expect(await accept(queue, line(`s${index}`), { bucket: 'three' })).toBeUndefined();
    }
    vi.useRealTimers();
    expect(dropped).toEqual([
      { bucket: 'one', priority: 'sensor', points: 1 },
      { bucket: 'two', priority: 'sensor', points: 1 },
      { bucket: 'one', priority: 'sensor', points: 1 },
    ]);
    expect(queue.totals()).toMatchObject({ accepted: 9, dropped: 3, queuedPoints: 6, queuedBytes: 600 });
    expect(await drain(queue, 'one')).toEqual([line('s4')]);
    expect(await drain(queue, 'two')).toEqual([line('s3'), line('s5')]);
    expect(imbalance(queue)).toBe(0);
  });

  it('keeps events: sensor points give way to them, and are refused when only events are left', async () => {
    const { queue, dropped } = await limited(4);
    for (const name of ['e1', 'e2']) await accept(queue, line(name), { priority: 'event' });
    for (const name of ['s1', 's2']) await accept(queue, line(name));
    for (const name of ['e3', 'e4']) await accept(queue, line(name), { priority: 'event' });
    expect(dropped.every(({ priority }) => priority === 'sensor')).toBe(true);
    expect(queue.totals()).toMatchObject({ dropped: 2, queuedPoints: 4 });

    expect(await accept(queue, line('s3'))).toMatchObject({ code: 'queue-full' });
    expect(await accept(queue, line('e5'), { priority: 'event' })).toBeUndefined();
    expect(dropped.at(-1)).toEqual({ bucket: 'raw', priority: 'event', points: 1 });
    expect(queue.totals()).toMatchObject({ accepted: 7, failed: 1, dropped: 3, queuedPoints: 4 });
    expect(await drain(queue)).toEqual(['e2', 'e3', 'e4', 'e5'].map(line));
  });

  it('passes over chunks that are being written', async () => {
    const { queue } = await limited(3);
    for (const name of ['s1', 's2', 's3']) await accept(queue, line(name));
    const taken = await queue.take('raw', 1);
    expect(linesOf(taken)).toEqual([line('s1')]);
    await accept(queue, line('s4'));
    const more = await queue.take('raw', 2);
    expect(linesOf(more)).toEqual([line('s3'), line('s4')]);
    expect(await accept(queue, line('s5'))).toMatchObject({ code: 'queue-full' });
    await queue.remove(taken);
    queue.release(more);
    expect(await accept(queue, line('s6'))).toBeUndefined();
    expect(await drain(queue)).toEqual(['s3', 's4', 's6'].map(line));
    expect(queue.totals()).toMatchObject({ dropped: 1, failed: 1, written: 4 });
    expect(imbalance(queue)).toBe(0);
  });

  it('stores of points that come together those that fit', async () => {
    const { queue } = await limited(2);
    for (const name of ['e1']) await accept(queue, line(name), { priority: 'event' });
    const results = await Promise.all([
      accept(queue, line('s1'), { bucket: 'one' }),
      accept(queue, line('s2'), { bucket: 'two' }),
      accept(queue, line('e2'), { priority: 'event' }),
    ]);
    expect(results.map((error) => (error as PackError | undefined)?.code)).toEqual([
      'queue-full',
      'queue-full',
      undefined,
    ]);
    expect(await drain(queue)).toEqual([line('e1'), line('e2')]);
  });

  it('still is limited after a restart', async () => {
    const directory = tempDirectory('queue');
    const before = await openQueue(await openStore(directory), { limitBytes: 500 });
    for (let index = 0; index < 5; index++) await accept(before, line(`s${index}`));
    await closeAll();
    const after = await openQueue(await openStore(directory), { limitBytes: 300 });
    await accept(after, line('s5'));
    expect(await drain(after)).toEqual([line('s3'), line('s4'), line('s5')]);
    expect(after.totals()).toMatchObject({ recovered: 5, dropped: 3, written: 3 });
  });
});
