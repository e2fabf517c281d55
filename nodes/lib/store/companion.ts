import type { ChunkHead } from './lane';
import type { Reach } from './lanes';
import type { Store, StoreOperation } from './store';

/** Lines on their way into the store, or out of it. */
export interface PassingChunk {
  readonly head: ChunkHead;
  readonly lines: readonly string[];
}

/** What goes into the store, and out of it, together with the points that it is about. */
export interface QueueCompanion {
  /**
   * The store was opened, or opened again after a failure: what is in memory may not be what is in the store. No chunk is
   * stored before this has resolved.
   *
   * @param stored - of a bucket, up to which sequences chunks are stored
   * @throws PackError `store-unavailable`; whatever else is thrown is reported, and the queue goes on without it
   */
  load(store: Store, stored: (bucket: string) => Reach): Promise<void>;
  /** Whether it must see the lines of a bucket that are dropped because the queue is full. */
  needsDropped(bucket: string): boolean;
  /**
   * Called once for each batch that adds or drops chunks, right before it is handed to the store; what is returned goes
   * into it. If the batch fails, `load` is called before the next one.
   *
   * @param dropped - of those buckets that it needs them of
   */
  collect(arriving: readonly PassingChunk[], dropped: readonly PassingChunk[]): StoreOperation[];
}
