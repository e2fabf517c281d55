import { PackError } from '../errors';
import { decodeChunk, encodeChunk } from './chunk';
import { findLanes, type FoundLane } from './found-lanes';
import { checkedKey, chunkKey, chunkPrefix, chunkRange, laneKey, laneRange, sequenceOf, type KeyRange } from './keys';
import { adjustShare, encodeLedger, type Ledger } from './ledger';
import type { Store, StoreOperation } from './store';

/** Chunks that are moved or removed by one batch; a chunk has up to a thousand lines or so. */
const CHUNKS = 200;

/** What came of the points of a queue that is not open. */
export interface QueuePoints {
  points: number;
  /** That the queue should have had, and that a damaged file has lost. */
  lost: number;
}

/** Whether there are points of a queue, or anything else that is kept in ranges that are made of its name. */
export async function hasRecords(store: Store, ranges: readonly KeyRange[]): Promise<boolean> {
  for (const range of ranges) {
    if (!(await store.isEmpty(range))) return true;
  }
  return false;
}

/** The ranges of a queue's own records. */
export function queueRanges(queue: string): KeyRange[] {
  return [laneRange(queue), chunkRange(queue)];
}

/**
 * Puts all points of a queue behind those of another; neither may be open. Each batch holds chunks and the ledgers of both
 * lanes: wherever it ends, each point is in one of the queues, and to do it again goes on.
 *
 * @throws PackError `store-unavailable`
 */
export async function moveQueue(store: Store, from: string, to: string): Promise<QueuePoints> {
  const sum: QueuePoints = { points: 0, lost: 0 };
  const targets = await findLanes(store, to);
  for (const [key, lane] of await findLanes(store, from)) {
    const target = targets.get(laneKey(to, lane.bucket, lane.priority))?.ledger;
    sum.points += await moveLane(store, { from, to, key, lane, target: target ?? emptyLedger() });
    for (const points of lane.lost.values()) sum.lost += points;
  }
  await store.batch([{ type: 'del', key: checkedKey(from) }], { sync: true });
  return sum;
}

/**
 * Removes a queue that is not open, with all its points.
 *
 * @throws PackError `store-unavailable`
 */
export async function removeQueue(store: Store, queue: string): Promise<QueuePoints> {
  const sum: QueuePoints = { points: 0, lost: 0 };
  for (const { ledger, lost } of (await findLanes(store, queue)).values()) {
    for (const { points } of ledger.shares.values()) sum.points += points;
    for (const points of lost.values()) sum.lost += points;
  }
  // The ledgers go last: as long as points are there, they are counted.
  await removeRanges(store, [chunkRange(queue), laneRange(queue)]);
  await store.batch([{ type: 'del', key: checkedKey(queue) }], { sync: true });
  await store.compact(chunkRange(queue));
  return sum;
}

/** @throws PackError `store-unavailable` */
export async function removeRanges(store: Store, ranges: readonly KeyRange[]): Promise<void> {
  for (const range of ranges) {
    for await (const page of store.sealedPages(range)) {
      await store.batch(
        page.map(([key]): StoreOperation => ({ type: 'del', key })),
        { sync: true },
      );
    }
  }
}

interface LaneMove {
  from: string;
  to: string;
  /** Of the ledger of the lane that is moved. */
  key: string;
  lane: FoundLane;
  /** Of the lane that gets the chunks. */
  target: Ledger;
}

async function moveLane(store: Store, { from, to, key, lane, target }: LaneMove): Promise<number> {
  const { bucket, priority, ledger } = lane;
  const targetKey = laneKey(to, bucket, priority);
  const prefix = chunkPrefix(to, bucket, priority);
  const source = chunkPrefix(from, bucket, priority);
  const range = { gte: chunkKey(source, ledger.head), lt: chunkKey(source, ledger.next) };
  let moved = 0;
  for await (const page of store.sealedPages(range, CHUNKS)) {
    const operations: StoreOperation[] = [];
    for (const [chunkAt, record] of page) {
      const chunk = decodeChunk(chunkAt, record);
      if (chunk === undefined) throw store.distrust(`a chunk of bucket ${bucket} is damaged`);
      const lines = chunk.lines();
      const { origin, acceptedAt } = chunk;
      const newKey = chunkKey(prefix, target.next++);
      const multiline = lines.some((line) => line.includes('\n'));
      const { value } = encodeChunk({ key: newKey, origin, acceptedAt, lines, multiline });
      operations.push({ type: 'put', key: newKey, value, isSealed: true }, { type: 'del', key: chunkAt });
      adjustShare(ledger.shares, chunk, -1);
      adjustShare(target.shares, chunk, 1);
      ledger.head = sequenceOf(chunkAt) + 1;
      moved += chunk.points;
    }
    operations.push(
      { type: 'put', key, value: encodeLedger(ledger) },
      { type: 'put', key: targetKey, value: encodeLedger(target) },
    );
    await store.batch(operations, { sync: true });
  }
  if (ledger.shares.size > 0) throw store.distrust(`bucket ${bucket} does not hold the points that were stored`);
  await store.batch([{ type: 'del', key }], { sync: true });
  return moved;
}

function emptyLedger(): Ledger {
  return { head: 0, next: 0, shares: new Map() };
}

/** @throws PackError `store-unavailable` when the queue is open, or somebody else is at work with it */
export async function withClaim<T>(store: Store, queue: string, work: () => Promise<T>): Promise<T> {
  if (store.isClaimed(queue)) throw new PackError('store-unavailable', `The queue of ${queue} is in use`);
  store.claim(queue);
  try {
    return await work();
  } finally {
    store.unclaim(queue);
  }
}
