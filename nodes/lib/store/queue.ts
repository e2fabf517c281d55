import { PackError } from '../errors';
import { StoredChunk, type Chunk } from './chunk';
import { Commit, encodeAll, sumBytes, type HeldChunk } from './commit';
import type { PassingChunk, QueueCompanion } from './companion';
import { findLanes, storedIn } from './found-lanes';
import { Intake } from './intake';
import { PRIORITIES, type Priority } from './keys';
import type { ChunkHead, Lane, OpenChunk, StoredCallback } from './lane';
import { linesOf, takeWaiting } from './lane-reader';
import { Lanes, type Reach } from './lanes';
import { adjustShare } from './ledger';
import { Listeners, surface } from './listeners';
import { countDeparture, reconcile, type Departure } from './reconcile';
import { makeRoom, type Room } from './room';
import { settle } from './settle';
import type { Store, StoreOperation } from './store';
import { Accounts, type QueueTotals } from './totals';

export type { Chunk } from './chunk';
export type { Priority } from './keys';
export type { StoredCallback } from './lane';
export type { Reach } from './lanes';
export type { QueueTotals } from './totals';

export interface QueueOptions {
  /** Bytes of lines that the queue may hold. */
  limitBytes: number;
  /** Lines after which a chunk is stored at once. Default 1000. */
  chunkLines?: number;
  /** Milliseconds after which a line is stored. Default 5. */
  chunkMilliseconds?: number;
  /** Has something to store with the points. */
  companion?: QueueCompanion;
}

/** Points that the queue has lost: dropped because it was full, or gone with a damaged file. */
export interface LostPoints {
  bucket: string;
  priority: Priority;
  points: number;
}

/** What became of chunks that are removed. */
export interface RemovalOutcome {
  /** Of each chunk, in the order of the chunks, how many of its points InfluxDB refused. Default: none. */
  refused?: readonly number[];
  /** They are not in InfluxDB: an operator wants them no more. */
  discarded?: boolean;
}

/** Chunks on their way out of the queue. */
interface Removal {
  chunks: readonly Chunk[];
  outcome: RemovalOutcome;
  resolve: () => void;
}

/** Lines that are discarded by one batch. */
const DISCARD_LINES = 10_000;

/** Removed bytes of a lane after which LevelDB is told to give their space back; the latter when nothing can be added. */
const COMPACT_AFTER = 64 * 1024 * 1024;
const COMPACT_WHEN_FULL = 1024 * 1024;

/**
 * The points for one place that are accepted and not yet in InfluxDB. They are in the store; in memory is only
 * what is being accepted or written.
 *
 * All that changes the queue's part of the store goes through one loop, one batch at a time: so the ledgers that each
 * batch carries are written in the order of what they count, and a point is either queued or not, never in between.
 */
export class PointQueue {
  readonly #store: Store;
  readonly #server: string;
  #limitBytes: number;
  readonly #intake: Intake;
  readonly #companion: QueueCompanion | undefined;
  readonly #lanes: Lanes;
  readonly #accounts = new Accounts();
  readonly #available = new Listeners<string>();
  readonly #dropped = new Listeners<LostPoints>();
  readonly #damaged = new Listeners<LostPoints>();
  readonly #companionFailed = new Listeners<unknown>();
  readonly #lost: LostPoints[] = [];
  #unlisten: () => void = () => undefined;

  #removals: Removal[] = [];
  /** Drops whose batch failed; only the store can tell whether it was applied. */
  #uncertain: HeldChunk[] = [];
  #due = false;
  #running = false;
  #loop: Promise<void> = Promise.resolve();
  /** The opening of the store from which the lanes were read. */
  #generation = -1;
  #closed: Promise<void> | undefined;

  private constructor(store: Store, server: string, options: QueueOptions) {
    this.#store = store;
    this.#server = server;
    this.#limitBytes = options.limitBytes;
    this.#companion = options.companion;
    this.#lanes = new Lanes(server);
    const { chunkLines = 1000, chunkMilliseconds = 5 } = options;
    this.#intake = new Intake({ chunkLines, chunkMilliseconds, onDue: () => this.#flush() });
  }

  /**
   * Opens the queue of a server; only one may be open.
   *
   * @throws PackError `store-unavailable`
   */
  static async open(store: Store, server: string, options: QueueOptions): Promise<PointQueue> {
    store.claim(server);
    const queue = new PointQueue(store, server, options);
    queue.#unlisten = store.listen({ opened: () => void queue.#reload() });
    try {
      await queue.#load();
    } catch (error) {
      queue.#unlisten();
      store.unclaim(server);
      throw error;
    }
    return queue;
  }

  /**
   * Takes a point. `stored` is called once: without an error when the point is on the disk and survives a power cut, else
   * with a PackError `store-unavailable` or `queue-full`.
   *
   * @param origin - id of the node that accepts the point: it is counted there too.
   * @param line - a line of line protocol, without a line break at its end.
   */
  accept(bucket: string, priority: Priority, origin: string, line: string, stored: StoredCallback): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      this.#refuse(origin, refusal, stored);
      return;
    }
    this.#intake.add(this.#lanes.of(bucket, priority), origin, this.#accounts.of(origin), line, stored);
  }

  /** Bytes of lines that the queue may hold from now on. */
  limit(bytes: number): void {
    this.#limitBytes = bytes;
  }

  /** Buckets that hold points. */
  buckets(): string[] {
    return this.#lanes.buckets();
  }

  /** Points of a bucket, whether somebody has taken them or not. */
  points(bucket: string): number {
    const lanes = this.#lanes.find(bucket);
    return lanes === undefined ? 0 : PRIORITIES.reduce((sum, priority) => sum + lanes[priority].points, 0);
  }

  /**
   * Takes all points that wait for a bucket off the queue, for good; they count as dropped. Those that come meanwhile stay.
   *
   * @returns how many
   * @throws PackError `store-unavailable`
   */
  async discard(bucket: string): Promise<number> {
    const waiting = this.waiting(bucket);
    let points = 0;
    while (points < waiting) {
      const chunks = await this.take(bucket, DISCARD_LINES);
      if (chunks.length === 0) break;
      await this.remove(chunks, { discarded: true });
      for (const chunk of chunks) points += chunk.points;
    }
    return points;
  }

  /** Points of a bucket that nobody has taken. */
  waiting(bucket: string): number {
    const lanes = this.#lanes.find(bucket);
    return lanes === undefined ? 0 : PRIORITIES.reduce((sum, priority) => sum + lanes[priority].waitingPoints, 0);
  }

  /** Of a bucket: every chunk with a lower sequence has left the queue, whatever became of it. */
  left(bucket: string): Reach {
    return this.#lanes.left(bucket);
  }

  /**
   * The oldest chunks of a bucket, events before sensors, with up to `maximumLines` lines in all; a single chunk may have
   * more. They stay in the queue until they are removed, and nobody else gets them unless they are released.
   *
   * @throws PackError `store-unavailable`; {@link onAvailable} tells when the store can be read again.
   */
  async take(bucket: string, maximumLines: number): Promise<Chunk[]> {
    const lanes = this.#lanes.find(bucket);
    const taken: StoredChunk[] = [];
    if (lanes === undefined || this.#closed !== undefined) return taken;
    try {
      for (const priority of PRIORITIES) {
        const lane = lanes[priority];
        const turn = lane.reading.then(async () => {
          const fault = this.#fault();
          if (fault !== undefined) throw fault;
          const points = taken.reduce((sum, chunk) => sum + chunk.points, 0);
          if (lane.waitingChunks > 0 && points < maximumLines)
            await takeWaiting(this.#store, lane, maximumLines, taken);
        });
        lane.reading = turn.catch(() => undefined);
        await turn;
      }
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return taken;
  }

  /**
   * Takes chunks off the queue, together, for good. Resolves when they are off; while the store is unavailable, that is
   * when it can be written to again. If the process ends before, they are in the queue again: to write a point to InfluxDB
   * once more changes nothing there.
   */
  async remove(chunks: readonly Chunk[], outcome: RemovalOutcome = {}): Promise<void> {
    for (const chunk of chunks) this.#takenOf(chunk);
    if (chunks.length === 0 || this.#closed !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#removals.push({ chunks, outcome, resolve });
      this.#run();
    });
  }

  /** The chunks were not written: they are in the queue as before. */
  release(chunks: readonly Chunk[]): void {
    for (const chunk of chunks) {
      const { lane, chunk: head } = this.#takenOf(chunk);
      lane.release(head);
    }
  }

  /** Of the whole queue, or of what one node has accepted. */
  totals(origin?: string): QueueTotals {
    return this.#accounts.totals(this.#lanes.all(), origin);
  }

  /** Nodes whose points are or were in the queue since it was opened. */
  origins(): string[] {
    return this.#accounts.origins();
  }

  /** Called with the bucket when points have come into it, or can be taken again. Returns a function that ends that. */
  onAvailable(listener: (bucket: string) => void): () => void {
    return this.#available.add(listener);
  }

  onDropped(listener: (lost: LostPoints) => void): () => void {
    return this.#dropped.add(listener);
  }

  /** What was found to be lost when the queue was opened is reported at once. */
  onDamaged(listener: (lost: LostPoints) => void): () => void {
    for (const lost of this.#lost) listener(lost);
    return this.#damaged.add(listener);
  }

  /** The companion could not do its part, by a fault of its own; the points are taken all the same. */
  onCompanionFailed(listener: (error: unknown) => void): () => void {
    return this.#companionFailed.add(listener);
  }

  /** Stores what was accepted before, applies what was removed; points that come later get `store-unavailable`. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    // `#closed` is set only when this yields: what was accepted until now is stored.
    await Promise.resolve();
    this.#flush();
    while (this.#running) await this.#loop;
    for (const { resolve } of this.#removals.splice(0)) resolve();
    this.#dropUncertain();
    this.#unlisten();
    this.#store.unclaim(this.#server);
  }

  /** Nobody will learn whether these were dropped. Better to report a point that is found again than to lose one silently. */
  #dropUncertain(): void {
    const drops = this.#uncertain.splice(0);
    for (const { lane, chunk } of drops) {
      lane.held.delete(chunk.sequence);
      adjustShare(lane.shares, chunk, -1);
      countDeparture(this.#accounts, chunk, 'dropped');
    }
    this.#reportDrops(drops.map(({ chunk }) => chunk));
  }

  #refusal(): PackError | undefined {
    if (this.#closed !== undefined) return new PackError('store-unavailable', 'The queue is being closed');
    const refusal = this.#store.refusal;
    if (refusal !== undefined) {
      this.#store.checkSpace();
      for (const lane of this.#lanes.all()) this.#compact(lane);
      return refusal;
    }
    return this.#fault();
  }

  /** Why the queue can be neither read nor changed now. */
  #fault(): PackError | undefined {
    if (this.#store.fault !== undefined) return this.#store.fault;
    if (this.#generation === this.#store.generation) return undefined;
    return new PackError('store-unavailable', `The store in ${this.#store.directory} is being read after a failure`);
  }

  #refuse(origin: string, error: PackError, stored: StoredCallback): void {
    this.#accounts.of(origin).failed++;
    // Never before accept() has returned, as with points that are stored.
    queueMicrotask(() => stored(error));
  }

  #flush(): void {
    this.#due = true;
    this.#run();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    this.#loop = this.#work();
  }

  async #work(): Promise<void> {
    try {
      while (this.#due || this.#removals.length > 0) {
        const chunks = this.#takeDue();
        const fault = this.#fault();
        if (fault === undefined) await this.#commit(chunks, this.#removals.splice(0));
        else settle(chunks, fault);
        // Removals have their turn when the store is open again.
        if (this.#fault() !== undefined && !this.#due) return;
      }
    } finally {
      // Nothing may be awaited since the last look at what is due: it would be left lying.
      this.#running = false;
    }
  }

  #takeDue(): OpenChunk[] {
    if (!this.#due) return [];
    this.#due = false;
    return this.#intake.take();
  }

  async #commit(chunks: readonly OpenChunk[], removals: readonly Removal[]): Promise<void> {
    const departures = this.#departuresOf(removals);
    const leaving = [...departures.keys()].map((chunk) => ({
      lane: this.#lanes.of(chunk.bucket, chunk.priority),
      chunk,
    }));
    let room: Room = { admitted: [], refused: [], drops: [] };
    let commit: Commit;
    try {
      this.#store.checkSpace();
      if (chunks.length > 0 && this.#store.refusal !== undefined) throw this.#store.refusal;
      const free = this.#limitBytes - this.#lanes.bytes() + sumBytes(departures.keys());
      room = await makeRoom(this.#store, this.#lanes.all(), encodeAll(chunks), free);
      // Without those that were refused the others have other keys.
      if (room.refused.length > 0) room.admitted = encodeAll(room.admitted.map(({ open }) => open));
      commit = new Commit(room.admitted, [...leaving, ...room.drops]);
      const arriving = room.admitted.map(({ head, open }) => ({ head, lines: open.lines }));
      const needs = (chunk: ChunkHead): boolean => this.#companion?.needsDropped(chunk.bucket) ?? false;
      const dropped = await linesOf(
        this.#store,
        room.drops.filter(({ chunk }) => needs(chunk)),
      );
      // From here to the batch nothing may be awaited: what is collected says how the store will be after it.
      if (this.#companion && arriving.length + dropped.length > 0)
        commit.operations.push(...this.#collect(this.#companion, arriving, dropped));
      await this.#store.batch(commit.operations, { sync: true });
    } catch (error) {
      if (!(error instanceof PackError)) throw error;
      this.#uncertain.push(...room.drops);
      this.#removals.unshift(...removals);
      settle(chunks, error);
      return;
    }
    commit.apply();
    for (const [chunk, departure] of departures) countDeparture(this.#accounts, chunk, departure);
    for (const { chunk } of room.drops) countDeparture(this.#accounts, chunk, 'dropped');
    for (const lane of commit.lanes) this.#compact(lane);
    // From here on others are called, who may look at the totals.
    settle(room.admitted.map(({ open }) => open));
    settle(
      room.refused.map(({ open }) => open),
      new PackError('queue-full', 'The queue is full of points that must not be dropped for this one'),
    );
    for (const { resolve } of removals) resolve();
    for (const bucket of new Set(room.admitted.map(({ head }) => head.bucket))) this.#available.call(bucket);
    this.#reportDrops(room.drops.map(({ chunk }) => chunk));
  }

  /** After the store was opened again. */
  async #reload(): Promise<void> {
    try {
      while (this.#running) await this.#loop;
      await this.#load();
    } catch (error) {
      // When the store has failed once more, it will report that it is open once more.
      if (!(error instanceof PackError)) surface(error);
      return;
    }
    for (const bucket of this.buckets()) this.#available.call(bucket);
    this.#run();
  }

  async #load(): Promise<void> {
    const generation = this.#store.generation;
    const found = await findLanes(this.#store, this.#server);
    const gone = await this.#heldButGone();
    await this.#loadCompanion((bucket) => storedIn(found.values(), bucket));
    // Closed and opened again while this was reading: another load is under way.
    if (generation !== this.#store.generation) return;
    const departures = this.#departuresOf(this.#removals);
    for (const { chunk } of this.#uncertain) departures.set(chunk, 'dropped');
    const dropped = this.#uncertain.splice(0).flatMap(({ chunk }) => (gone.has(chunk) ? [chunk] : []));
    const reopening = { accounts: this.#accounts, first: this.#generation < 0, gone, departures };
    for (const { bucket, priority } of found.values()) this.#lanes.of(bucket, priority);
    this.#generation = generation;
    const lost: LostPoints[] = [];
    for (const lane of this.#lanes.all()) {
      const points = reconcile(lane, found.get(lane.ledgerKey), reopening);
      if (points > 0) lost.push({ bucket: lane.bucket, priority: lane.priority, points });
    }
    this.#lost.push(...lost);
    for (const each of lost) this.#damaged.call(each);
    this.#reportDrops(dropped);
  }

  /** What a companion makes of what it finds is its own affair: no fault of it keeps points from being taken. */
  async #loadCompanion(stored: (bucket: string) => Reach): Promise<void> {
    try {
      await this.#companion?.load(this.#store, stored);
    } catch (error) {
      if (error instanceof PackError) throw error;
      this.#companionFailed.call(error);
    }
  }

  #collect(
    companion: QueueCompanion,
    arriving: readonly PassingChunk[],
    dropped: readonly PassingChunk[],
  ): StoreOperation[] {
    try {
      return companion.collect(arriving, dropped);
    } catch (error) {
      this.#companionFailed.call(error);
      return [];
    }
  }

  async #heldButGone(): Promise<Set<ChunkHead>> {
    const held = this.#lanes.all().flatMap((lane) => [...lane.held.values()].map((chunk) => ({ lane, chunk })));
    const present = await this.#store.hasMany(held.map(({ lane, chunk }) => lane.key(chunk.sequence)));
    return new Set(held.filter((_, index) => present[index] === false).map(({ chunk }) => chunk));
  }

  /** The chunks of removals that are still in the store; some may have left it by a batch that seemed to fail. */
  #departuresOf(removals: readonly Removal[]): Map<ChunkHead, Departure> {
    const departures = new Map<ChunkHead, Departure>();
    for (const { chunks, outcome } of removals) {
      chunks.forEach((chunk, index) => {
        const held = this.#heldBy(chunk);
        const departure = outcome.discarded === true ? 'discarded' : { refused: outcome.refused?.[index] ?? 0 };
        if (held !== undefined) departures.set(held.chunk, departure);
      });
    }
    return departures;
  }

  #takenOf(chunk: Chunk): HeldChunk {
    const held = this.#heldBy(chunk);
    if (held === undefined) throw new Error(`The chunk ${chunk.key} is not taken`);
    return held;
  }

  /** Undefined when the chunk has been removed or released. */
  #heldBy(chunk: Chunk): HeldChunk | undefined {
    const lane = this.#lanes.of(chunk.bucket, chunk.priority);
    return chunk instanceof StoredChunk && lane.held.get(chunk.sequence) === chunk ? { lane, chunk } : undefined;
  }

  #reportDrops(chunks: readonly ChunkHead[]): void {
    const lost = new Map<Lane, LostPoints>();
    for (const { bucket, priority, points } of chunks) {
      const lane = this.#lanes.of(bucket, priority);
      lost.set(lane, { bucket, priority, points: points + (lost.get(lane)?.points ?? 0) });
    }
    for (const each of lost.values()) this.#dropped.call(each);
  }

  /** LevelDB keeps removed chunks until it happens to rewrite their tables; after an outage that may be never. */
  #compact(lane: Lane): void {
    const enough = this.#store.refusal === undefined ? COMPACT_AFTER : COMPACT_WHEN_FULL;
    if (lane.removedBytes < enough || this.#store.fault !== undefined) return;
    lane.removedBytes = 0;
    // A failure is the store's, which reports it to all.
    this.#store.compact(lane.range(0, lane.head)).catch(() => undefined);
  }
}
