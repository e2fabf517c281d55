import { afterEach, expect, it, vi } from 'vitest';
import type { Chunk, PointQueue } from '../../../nodes/lib/store/queue';
import { seededRandom } from '../../support/campaign';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { failingBatches } from './level-batches';
import { accept, closeAll, drain, imbalance, linesOf, openQueue, openStore } from './support';

afterEach(() => vi.restoreAllMocks());

const BUCKETS = ['raw', 'events', 'other'];
const STEPS = 150;

/** Does whatever a Node-RED may do to a queue, in any order, with failures and restarts, and compares with plain sets. */
async function play(seed: number, limitBytes: number): Promise<void> {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const directory = tempDirectory('model');
  const fail = failingBatches();
  const taken: Chunk[][] = [];
  const removing: Promise<void>[] = [];
  const handedIn = new Set<string>();
  const confirmed = new Set<string>();
  const seen = new Set<string>();
  let drops = 0;
  let next = 0;

  async function start(): Promise<PointQueue> {
    const opened = await openQueue(await openStore(directory), { limitBytes, chunkLines: 20 });
    opened.onDropped(({ points }) => (drops += points));
    expect(opened.totals().damaged).toBe(0);
    return opened;
  }

  function acceptSome(): void {
    for (let count = below(60); count > 0; count--) {
      const line = `m v=${next} ${next++}`;
      handedIn.add(line);
      const where = {
        bucket: BUCKETS[below(3)] ?? '',
        priority: below(4) ? 'sensor' : 'event',
        origin: `w${below(2)}`,
      } as const;
      void accept(queue, line, where).then((error) => {
        if (error === undefined) confirmed.add(line);
      });
    }
  }

  async function takeSome(): Promise<void> {
    const chunks = await queue.take(BUCKETS[below(3)] ?? '', 1 + below(80)).catch(() => []);
    if (chunks.length > 0) taken.push(chunks);
  }

  function removeSome(): void {
    const chunks = taken.splice(below(taken.length + 1), 1).flat();
    for (const line of linesOf(chunks)) seen.add(line);
    removing.push(queue.remove(chunks, { refused: chunks.map(({ points }) => below(points + 1)) }));
  }

  async function restart(): Promise<void> {
    await closeAll();
    await Promise.all(removing.splice(0));
    taken.length = 0;
    queue = await start();
  }

  let queue = await start();
  for (let step = 0; step < STEPS; step++) {
    const dice = below(100);
    if (dice < 40) acceptSome();
    else if (dice < 65) await takeSome();
    else if (dice < 80) removeSome();
    else if (dice < 88) queue.release(taken.splice(below(taken.length + 1), 1).flat());
    else if (dice < 94) await new Promise(setImmediate);
    else if (dice < 98) fail.failNext(below(2) ? 'lost' : 'applied');
    else await restart();
    expect(imbalance(queue), `seed ${seed}, step ${step}`).toBe(0);
  }

  await until('the queue is at rest', () => queue.totals().accepting === 0);
  for (const chunks of taken.splice(0)) queue.release(chunks);
  await Promise.all(removing);
  await restart();
  for (const bucket of BUCKETS) for (const line of await drain(queue, bucket)) seen.add(line);
  expect(queue.totals()).toMatchObject({ queuedPoints: 0, queuedBytes: 0, damaged: 0 });
  for (const line of seen) expect(handedIn).toContain(line);
  const missing = [...confirmed].filter((line) => !seen.has(line));
  if (drops === 0) expect(missing, `seed ${seed}`).toEqual([]);
  else expect(missing.length, `seed ${seed}`).toBeLessThanOrEqual(drops);
  vi.restoreAllMocks();
  await closeAll();
}

it.each([1, 2, 3, 4, 5, 6])('loses nothing whatever happens (seed %i)', async (seed) => {
  await play(seed, 1e9);
});

it.each([11, 12, 13, 14])('loses nothing but what it drops when it is full (seed %i)', async (seed) => {
  await play(seed, 4000);
});
