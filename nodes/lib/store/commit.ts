import { encodeChunk } from './chunk';
import type { ChunkHead, Lane, OpenChunk } from './lane';
import { encodeLedger, type Ledger } from './ledger';
import type { StoreOperation } from './store';

/** A stored chunk and the lane that it is in. */
export interface HeldChunk {
  lane: Lane;
  chunk: ChunkHead;
}

export interface EncodedChunk {
  open: OpenChunk;
  head: ChunkHead;
  operation: StoreOperation;
}

interface LaneChange {
  added: ChunkHead[];
  removed: ChunkHead[];
  plan: Ledger;
}

/** One batch: chunks that come, chunks that go, and the ledgers that go with both. */
export class Commit {
  readonly operations: StoreOperation[] = [];
  readonly #changes = new Map<Lane, LaneChange>();

  constructor(added: readonly EncodedChunk[], removed: readonly HeldChunk[]) {
    for (const { open, head, operation } of added) {
      this.operations.push(operation);
      this.#changeOf(open.lane).added.push(head);
    }
    for (const { lane, chunk } of removed) {
      this.operations.push({ type: 'del', key: lane.key(chunk.sequence) });
      this.#changeOf(lane).removed.push(chunk);
    }
    for (const [lane, change] of this.#changes) {
      change.plan = lane.planned(change.added, change.removed);
      this.operations.push({ type: 'put', key: lane.ledgerKey, value: encodeLedger(change.plan) });
    }
  }

  get lanes(): Iterable<Lane> {
    return this.#changes.keys();
  }

  /** The batch is in the store. */
  apply(): void {
    for (const [lane, { plan, added, removed }] of this.#changes) lane.apply(plan, added, removed);
  }

  #changeOf(lane: Lane): LaneChange {
    let change = this.#changes.get(lane);
    if (change === undefined) {
      change = { added: [], removed: [], plan: lane.planned([], []) };
      this.#changes.set(lane, change);
    }
    return change;
  }
}

/** Gives each chunk its key, in the order in which they were opened. */
export function encodeAll(chunks: readonly OpenChunk[]): EncodedChunk[] {
  const next = new Map<Lane, number>();
  return chunks.map((open) => {
    const { lane, origin, acceptedAt, lines, multiline } = open;
    const sequence = next.get(lane) ?? lane.next;
    next.set(lane, sequence + 1);
    const key = lane.key(sequence);
    const { value, bytes } = encodeChunk({ key, origin, acceptedAt, lines, multiline });
    const { bucket, priority } = lane;
    const head = { bucket, priority, sequence, origin, points: lines.length, bytes, acceptedAt };
    return { open, head, operation: { type: 'put', key, value, isSealed: true } };
  });
}

export function sumBytes(chunks: Iterable<{ bytes: number }>): number {
  let sum = 0;
  for (const { bytes } of chunks) sum += bytes;
  return sum;
}
