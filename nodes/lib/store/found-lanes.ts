import { unsealAll, type UnreadableRecord } from './aside';
import { decodeChunk } from './chunk';
import { unseal } from './codec';
import {
  checkedKey,
  chunkKey,
  chunkPrefix,
  chunkRange,
  laneKey,
  laneRange,
  parseKey,
  prefixRange,
  type KeyRange,
  type Priority,
} from './keys';
import type { Reach } from './lanes';
import { adjustShare, decodeLedger, encodeLedger, type Ledger } from './ledger';
import type { Store, StoreOperation } from './store';

/** A lane as it is in the store. */
export interface FoundLane {
  bucket: string;
  priority: Priority;
  ledger: Ledger;
  /** Points by origin that the ledger had and that are not there any more. */
  lost: Map<string, number>;
}

/**
 * The lanes of a server, by ledger key. After a repair, when a ledger cannot be read, or when chunks are there that no
 * ledger knows of, every chunk is read, and ledgers are written that are true again.
 *
 * @throws PackError `store-unavailable`
 */
export async function findLanes(store: Store, server: string): Promise<Map<string, FoundLane>> {
  const lanes = new Map<string, FoundLane>();
  let isReadable = true;
  for await (const page of store.sealedPages(laneRange(server))) {
    const { readable, unreadable } = unsealAll(page);
    await store.putAside(unreadable);
    if (unreadable.length > 0) isReadable = false;
    for (const [key, body] of readable) {
      const parsed = parseKey(key);
      const ledger = decodeLedger(body);
      if (parsed !== undefined && ledger !== undefined) {
        lanes.set(key, { bucket: parsed.bucket, priority: parsed.priority, ledger, lost: new Map() });
        continue;
      }
      isReadable = false;
      await store.putAsideBody(key, body);
    }
  }
  const checked = await store.get(checkedKey(server));
  const isTrue = isReadable && checked?.toString() === store.repaired && !(await hasStrays(store, server, lanes));
  return isTrue ? lanes : recount(store, server, lanes);
}

/**
 * Whether chunks are there that no ledger knows of: then one was lost, or an older one has come up in its place, and the
 * next sequence by it may be in use. What is looked at never held anything, so that this costs next to nothing.
 */
async function hasStrays(store: Store, server: string, lanes: ReadonlyMap<string, FoundLane>): Promise<boolean> {
  const { gte, lt } = chunkRange(server);
  const ranges: KeyRange[] = [];
  let from = gte;
  const known = Array.from(lanes.values(), ({ bucket, priority, ledger }) => ({
    prefix: chunkPrefix(server, bucket, priority),
    next: ledger.next,
  })).sort((one, other) => (one.prefix < other.prefix ? -1 : 1));
  for (const { prefix, next } of known) {
    const end = prefixRange(prefix).lt;
    ranges.push({ gte: from, lt: prefix }, { gte: chunkKey(prefix, next), lt: end });
    from = end;
  }
  ranges.push({ gte: from, lt });
  for (const range of ranges) if (!(await store.isEmpty(range))) return true;
  return false;
}

/** Every chunk of the bucket that is in the store has a lower sequence. */
export function storedIn(found: Iterable<FoundLane>, bucket: string): Reach {
  const stored = { event: 0, sensor: 0 };
  for (const lane of found) if (lane.bucket === bucket) stored[lane.priority] = lane.ledger.next;
  return stored;
}

async function recount(
  store: Store,
  server: string,
  before: ReadonlyMap<string, FoundLane>,
): Promise<Map<string, FoundLane>> {
  const lanes = await countChunks(store, server);
  for (const [key, { bucket, priority, ledger }] of before) {
    const lane = lanes.get(key) ?? newLane(bucket, priority, ledger.next);
    lanes.set(key, lane);
    lane.ledger.next = Math.max(lane.ledger.next, ledger.next);
    for (const [origin, { points }] of ledger.shares) {
      const missing = points - (lane.ledger.shares.get(origin)?.points ?? 0);
      if (missing > 0) lane.lost.set(origin, missing);
    }
  }
  const operations: StoreOperation[] = [];
  for await (const page of store.pages(laneRange(server))) {
    for (const [key] of page) if (!lanes.has(key)) operations.push({ type: 'del', key });
  }
  for (const [key, { ledger }] of lanes) operations.push({ type: 'put', key, value: encodeLedger(ledger) });
  const key = checkedKey(server);
  if (store.repaired === undefined) operations.push({ type: 'del', key });
  else operations.push({ type: 'put', key, value: Buffer.from(store.repaired) });
  // One batch: a crash before it leaves all to be counted again, one after it nothing.
  await store.batch(operations, { sync: true });
  return lanes;
}

async function countChunks(store: Store, server: string): Promise<Map<string, FoundLane>> {
  const lanes = new Map<string, FoundLane>();
  for await (const page of store.sealedPages(chunkRange(server))) {
    const unreadable: UnreadableRecord[] = [];
    for (const [key, record] of page) {
      const chunk = decodeChunk(key, record);
      if (chunk === undefined) {
        const body = unseal(key, record);
        unreadable.push({ key, record, fault: typeof body === 'string' ? body : 'damaged' });
        continue;
      }
      const ofLane = laneKey(server, chunk.bucket, chunk.priority);
      const lane = lanes.get(ofLane) ?? newLane(chunk.bucket, chunk.priority, chunk.sequence);
      lanes.set(ofLane, lane);
      lane.ledger.next = chunk.sequence + 1;
      adjustShare(lane.ledger.shares, chunk, 1);
    }
    await store.putAside(unreadable);
  }
  return lanes;
}

function newLane(bucket: string, priority: Priority, head: number): FoundLane {
  return { bucket, priority, ledger: { head, next: head, shares: new Map() }, lost: new Map() };
}
