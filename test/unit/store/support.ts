import { afterEach } from 'vitest';
import { PointQueue, type Chunk, type QueueOptions } from '../../../nodes/lib/store/queue';
import { Store } from '../../../nodes/lib/store/store';

const open: { close(): Promise<void> }[] = [];

// Queues before their stores.
afterEach(async () => {
  for (let last = open.pop(); last; last = open.pop()) await last.close();
});

/** A store that is closed after the test, unless `store.close` was called through {@link closeAll}. */
export async function openStore(directory: string): Promise<Store> {
  const store = await Store.open(directory, { retryMilliseconds: 10 });
  open.push(store);
  return store;
}

export async function openQueue(store: Store, options: Partial<QueueOptions> = {}, server = 's1'): Promise<PointQueue> {
  const queue = await PointQueue.open(store, server, { limitBytes: 1e9, chunkMilliseconds: 1, ...options });
  open.push(queue);
  return queue;
}

/** Closes whatever the test has opened so far, as a restart does. */
export async function closeAll(): Promise<void> {
  for (let last = open.pop(); last; last = open.pop()) await last.close();
}

export type Priority = 'event' | 'sensor';

/** Resolves when the point is stored, with the error if it could not be. */
export function accept(
  queue: PointQueue,
  line: string,
  {
    bucket = 'raw',
    priority = 'sensor',
    origin = 'w1',
  }: { bucket?: string; priority?: Priority; origin?: string } = {},
): Promise<Error | undefined> {
  return new Promise((resolve) => queue.accept(bucket, priority, origin, line, resolve));
}

export async function acceptAll(
  queue: PointQueue,
  lines: readonly string[],
  where?: { bucket?: string; priority?: Priority; origin?: string },
): Promise<(Error | undefined)[]> {
  return Promise.all(lines.map((line) => accept(queue, line, where)));
}

export function linesOf(chunks: readonly Chunk[]): string[] {
  return chunks.flatMap((chunk) => chunk.lines());
}

/** All lines of a bucket, removed as written. */
export async function drain(queue: PointQueue, bucket = 'raw'): Promise<string[]> {
  const lines: string[] = [];
  for (let chunks = await queue.take(bucket, 5000); chunks.length > 0; chunks = await queue.take(bucket, 5000)) {
    lines.push(...linesOf(chunks));
    await queue.remove(chunks);
  }
  return lines;
}

/** What must hold at any moment; 0 when it does. */
export function imbalance(queue: PointQueue, origin?: string): number {
  const totals = queue.totals(origin);
  const { accepted, recovered, written, refused, dropped, damaged, queuedPoints } = totals;
  return accepted + recovered - written - refused - dropped - damaged - queuedPoints;
}
