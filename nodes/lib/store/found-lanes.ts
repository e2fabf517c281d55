import { decodeChunk } from './chunk';
import { checkedKey, chunkRange, laneKey, laneRange, parseKey, type Priority } from './keys';
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
 * The lanes of a server, by ledger key. After a repair, or when a ledger cannot be read, every chunk is read, and ledgers
 * are written that are true again.
 *
 * @throws PackError `store-unavailable`
 */
export async function findLanes(store: Store, server: string): Promise<Map<string, FoundLane>> {
  const lanes = new Map<string, FoundLane>();
  let readable = true;
  for await (const page of store.pages(laneRange(server))) {
    for (const [key, value] of page) {
      const parsed = parseKey(key);
      const ledger = decodeLedger(key, value);
      if (parsed === undefined || ledger === undefined) readable = false;
      else lanes.set(key, { bucket: parsed.bucket, priority: parsed.priority, ledger, lost: new Map() });
    }
  }
  const checked = await store.get(checkedKey(server));
  return readable && checked?.toString() === store.repaired ? lanes : recount(store, server, lanes);
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
  const { lanes, unreadable } = await countChunks(store, server);
  for (const [key, { bucket, priority, ledger }] of before) {
    const lane = lanes.get(key) ?? newLane(bucket, priority, ledger.next);
    lanes.set(key, lane);
    lane.ledger.next = Math.max(lane.ledger.next, ledger.next);
    for (const [origin, { points }] of ledger.shares) {
      const missing = points - (lane.ledger.shares.get(origin)?.points ?? 0);
      if (missing > 0) lane.lost.set(origin, missing);
    }
  }
  const operations: StoreOperation[] = unreadable.map((key) => ({ type: 'del', key }));
  for await (const page of store.pages(laneRange(server))) {
    for (const [key] of page) if (!lanes.has(key)) operations.push({ type: 'del', key });
  }
  for (const [key, { ledger }] of lanes) operations.push({ type: 'put', key, value: encodeLedger(key, ledger) });
  const key = checkedKey(server);
  if (store.repaired === undefined) operations.push({ type: 'del', key });
  else operations.push({ type: 'put', key, value: Buffer.from(store.repaired) });
  // One batch: a crash before it leaves all to be counted again, one after it nothing.
  await store.batch(operations, { sync: true });
  return lanes;
}

async function countChunks(
  store: Store,
  server: string,
): Promise<{ lanes: Map<string, FoundLane>; unreadable: string[] }> {
  const lanes = new Map<string, FoundLane>();
  const unreadable: string[] = [];
  for await (const page of store.pages(chunkRange(server))) {
    for (const [key, value] of page) {
      const chunk = decodeChunk(key, value);
      if (chunk === undefined) {
        unreadable.push(key);
        continue;
      }
      const ofLane = laneKey(server, chunk.bucket, chunk.priority);
      const lane = lanes.get(ofLane) ?? newLane(chunk.bucket, chunk.priority, chunk.sequence);
      lanes.set(ofLane, lane);
      lane.ledger.next = chunk.sequence + 1;
      adjustShare(lane.ledger.shares, chunk, 1);
    }
  }
  return { lanes, unreadable };
}

function newLane(bucket: string, priority: Priority, head: number): FoundLane {
  return { bucket, priority, ledger: { head, next: head, shares: new Map() }, lost: new Map() };
}
