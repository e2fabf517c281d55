import { decodeChunk, type StoredChunk } from './chunk';
import type { HeldChunk } from './commit';
import type { PassingChunk } from './companion';
import type { ChunkHead, Lane } from './lane';
import type { Store } from './store';
import { sequenceOf } from './keys';

/** Chunks to look at when the oldest points are to be dropped. */
const PEEK = 64;

/**
 * Reads waiting chunks in order, up to `maximumPoints` in all, and holds them. One chunk is taken whatever its size when
 * `taken` is empty. What has been taken is in `taken` even if reading fails after that.
 *
 * @throws PackError `store-unavailable`, also when what is there is not what the ledger says: the store is repaired then.
 */
export async function takeWaiting(
  store: Store,
  lane: Lane,
  maximumPoints: number,
  taken: StoredChunk[],
): Promise<void> {
  const { cursor: start, next: end, addedPoints } = lane;
  let left = maximumPoints - taken.reduce((sum, chunk) => sum + chunk.points, 0);
  const perChunk = lane.waitingPoints / Math.max(1, lane.waitingChunks);
  const pageSize = Math.min(1000, Math.ceil(left / Math.max(1, perChunk)) + 1);
  let position = start;
  for await (const page of store.sealedPages(lane.range(start, end), pageSize)) {
    for (const [key, value] of page) {
      const sequence = sequenceOf(key);
      // Held by somebody, or dropped since reading began.
      if (!lane.isWaiting(sequence)) continue;
      const chunk = decodeChunk(key, value);
      if (chunk === undefined) throw store.distrust(`a chunk of bucket ${lane.bucket} is damaged`);
      if (taken.length > 0 && chunk.points > left) {
        advance(lane, start, position);
        return;
      }
      lane.hold(chunk);
      taken.push(chunk);
      left -= chunk.points;
      position = sequence + 1;
    }
  }
  // All is read, so nothing waits but what came meanwhile, or else chunks have vanished or come back. Unless some were
  // released meanwhile: then the cursor is before where reading began.
  if (!advance(lane, start, end)) return;
  if (lane.waitingPoints !== lane.addedPoints - addedPoints) {
    throw store.distrust(`bucket ${lane.bucket} does not hold the points that were stored`);
  }
}

function advance(lane: Lane, start: number, position: number): boolean {
  if (lane.cursor < start) return false;
  lane.cursor = Math.max(lane.cursor, position);
  return true;
}

/**
 * Held chunks with their lines.
 *
 * @throws PackError `store-unavailable`
 */
export async function linesOf(store: Store, held: readonly HeldChunk[]): Promise<PassingChunk[]> {
  const chunks: PassingChunk[] = [];
  for (const { lane, chunk: head } of held) {
    const key = lane.key(head.sequence);
    const value = await store.getSealed(key);
    const chunk = value && decodeChunk(key, value);
    if (chunk === undefined) throw store.distrust(`a chunk of bucket ${lane.bucket} is damaged`);
    chunks.push({ head, lines: chunk.lines() });
  }
  return chunks;
}

/** The oldest waiting chunk, if it is known. */
export function oldestKnown(lane: Lane): ChunkHead | undefined {
  for (let [first] = lane.peeked; first !== undefined; [first] = lane.peeked) {
    if (lane.isWaiting(first.sequence)) return first;
    lane.peeked.shift();
  }
  return undefined;
}

/** Makes {@link oldestKnown} know, if chunks wait. */
export async function peek(store: Store, lane: Lane): Promise<void> {
  while (lane.waitingChunks > 0 && oldestKnown(lane) === undefined) {
    const { cursor, next, releases } = lane;
    const heads: ChunkHead[] = [];
    for await (const page of store.sealedPages(lane.range(cursor, next), PEEK)) {
      for (const [key, value] of page) {
        const chunk = decodeChunk(key, value);
        if (chunk === undefined) throw store.distrust(`a chunk of bucket ${lane.bucket} is damaged`);
        heads.push(headOf(chunk));
      }
      if (heads.some((head) => lane.isWaiting(head.sequence))) break;
      heads.length = 0;
    }
    // Released chunks may be before those that were read; nothing may be dropped but the oldest, so look again.
    if (lane.releases !== releases) continue;
    lane.peeked = heads;
    if (heads.length === 0 && lane.waitingChunks > 0 && lane.cursor === cursor) {
      throw store.distrust(`bucket ${lane.bucket} does not hold the points that were stored`);
    }
  }
}

/** Without the lines: many of these may be kept. */
function headOf({ bucket, priority, sequence, origin, points, bytes, acceptedAt }: StoredChunk): ChunkHead {
  return { bucket, priority, sequence, origin, points, bytes, acceptedAt };
}
