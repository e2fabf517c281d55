import { Aggregator, type AggregatorListener } from '../lib/aggregate/aggregator';
import { Marks } from '../lib/aggregate/marks';
import { copyMarks, markRanges } from '../lib/aggregate/move-marks';
import { PackError, reasonOf } from '../lib/errors';
import { Connections } from '../lib/influx/connections';
import type { InfluxServer } from '../lib/influx/server';
import { Writer, type BucketState, type RefusedPoint, type WrittenBatch } from '../lib/influx/writer';
import { hasRecords, moveQueue, queueRanges, removeRanges, withClaim } from '../lib/store/move-queue';
import { PointQueue, type Priority, type QueueTotals, type StoredCallback } from '../lib/store/queue';
import { Listeners } from '../lib/runtime/config-nodes';
import { Store } from '../lib/store/store';
import { newTotals } from '../lib/store/totals';
import { forgetTotals, keepTotals, totalsSinceStart } from './carried-totals';

/** What an `influx-write` node wants to hear of its points. */
export interface DeliveryListener {
  written(batch: WrittenBatch): void;
  refused(point: RefusedPoint): void;
  /** The state or the totals have changed. */
  changed(): void;
}

/**
 * Something an operator should know, by the name of its text in the catalogue: `influx-server.report.<name>`. While the
 * same goes on, it is said once a minute; what counts as the same is told by `about`.
 */
export type Report = (
  level: 'log' | 'warn',
  name: string,
  values: Record<string, string | number>,
  about?: string | number,
) => void;

export interface DeliveryOptions {
  /** Folder of the store. */
  directory: string;
  /** See {@link placeOf}: the name of the queue. */
  place: string;
  /** The delivery that had the queue before is still being closed: this one waits for it. */
  after?: Promise<void>;
}

/** An `influx-server` node that writes to the place. */
export interface DeliveryUser {
  /** Id of the node. */
  server: string;
  limitBytes: number;
  connection: InfluxServer;
  report: Report;
}

/** Results of aggregation that may wait for a bucket: so many, or a tenth of a small queue, with 200 bytes each. */
const MOST_RESULTS = 50_000;
const BYTES_A_RESULT = 2000;

/** Milliseconds between attempts to open a store that could not be opened. */
const REOPEN_INTERVAL = 5000;

/**
 * The durable way of points to one place: queue on disk, writer, and those who want to hear what became of their points.
 * All `influx-server` nodes of the place share it. Points are taken from the first moment; while the store is being opened
 * they wait for it.
 */
export class Delivery {
  readonly place: string;
  /** The state or the totals have changed: for nodes that have no points in the queue. */
  readonly changed = new Listeners();
  readonly #options: DeliveryOptions;
  readonly #users: DeliveryUser[] = [];
  readonly #connections = new Connections();
  readonly #marks: Marks;
  readonly #listeners = new Map<string, DeliveryListener>();
  /** Buckets whose trouble was reported, and whose recovery is to be. */
  readonly #inTrouble = new Set<string>();
  /** Queues whose points are to be taken over before this one is opened. */
  readonly #inherited = new Set<string>();
  #store: Store | undefined;
  #stopListening: (() => void) | undefined;
  #queue: PointQueue | undefined;
  #writer: Writer | undefined;
  #opening: Promise<void>;
  #reopenTimer: NodeJS.Timeout | undefined;
  #problem: PackError | undefined;
  #limitBytes = 0;
  #closed = false;

  constructor(options: DeliveryOptions, first: DeliveryUser) {
    this.place = options.place;
    this.#options = options;
    this.#marks = new Marks(options.place);
    this.#add(first);
    // In a store of an early release, queues have the ids of nodes.
    this.#inherited.add(first.server);
    this.#opening = (options.after ?? Promise.resolve()).then(() => this.#open());
  }

  /** Another node of the place is there. */
  enter(user: DeliveryUser): void {
    this.#add(user);
    this.#inheritLater(user.server);
    this.#changed();
  }

  /** A node of the place is not there any more. Nothing goes by its connection from now on. */
  leave(user: DeliveryUser): void {
    this.#users.splice(this.#users.indexOf(user), 1);
    this.#connections.remove(user.connection);
    this.#setLimit();
  }

  /** Id of the node that has been there for longest; undefined when there is none. */
  get server(): string | undefined {
    return this.#users[0]?.server;
  }

  /** Ids of all nodes of the place. */
  get servers(): string[] {
    return this.#users.map(({ server }) => server);
  }

  get isUsed(): boolean {
    return this.#users.length > 0;
  }

  /**
   * Takes the points of another queue over, which nobody has open, and the windows that are marked beside it.
   *
   * @param queue - its name: a place, or the id of a node
   * @throws PackError `store-unavailable`
   */
  async takeOver(queue: string): Promise<void> {
    if (queue === this.place) return;
    this.#inheritLater(queue);
    await this.#opening;
    if (this.#inherited.delete(queue)) throw this.#problem ?? new PackError('store-unavailable', 'The queue is closed');
  }

  /** Buckets with points in the queue, and how many. */
  queued(): { bucket: string; points: number }[] {
    const queue = this.#queue;
    return queue?.buckets().map((bucket) => ({ bucket, points: queue.points(bucket) })) ?? [];
  }

  /**
   * Takes all points of a bucket off the queue; they count as dropped.
   *
   * @returns how many
   * @throws PackError `store-unavailable`
   */
  async discard(bucket: string): Promise<number> {
    await this.#opening;
    const fault = this.#problem ?? this.#store?.fault;
    if (fault || !this.#writer) throw fault ?? new PackError('store-unavailable', 'The queue is closed');
    const points = await this.#writer.discard(bucket);
    this.#inTrouble.delete(bucket);
    this.#report('warn', 'discarded', { bucket, points, place: this.place }, `${bucket} ${points}`);
    this.#changed();
    return points;
  }

  /** Why points cannot be stored on disk at all, if so. */
  get problem(): string | undefined {
    return (this.#problem ?? this.#store?.refusal)?.message;
  }

  /** What the writer of each bucket is doing. */
  get buckets(): ReadonlyMap<string, BucketState> {
    return this.#writer?.states() ?? new Map<string, BucketState>();
  }

  /** Since Node-RED was started, redeploys included; undefined until the queue has been opened. */
  totals(): QueueTotals | undefined {
    return totalsSinceStart(this.place, this.#queue?.totals());
  }

  /** Of one `influx-write` node, since the last deploy. */
  totalsOf(origin: string): QueueTotals {
    return this.#queue?.totals(origin) ?? newTotals();
  }

  /**
   * Takes a point over. `stored` is called once: without an error when the point is safe on disk.
   *
   * @param origin - id of the `influx-write` node
   */
  accept(bucket: string, priority: Priority, origin: string, line: string, stored: StoredCallback): void {
    if (this.#queue) this.#queue.accept(bucket, priority, origin, line, stored);
    else if (this.#problem) stored(this.#problem);
    else void this.#opening.then(() => this.accept(bucket, priority, origin, line, stored));
  }

  /** @returns the function that ends the listening */
  listen(origin: string, listener: DeliveryListener): () => void {
    this.#listeners.set(origin, listener);
    return () => this.#listeners.delete(origin);
  }

  /**
   * Aggregates what is written here, by the rules that the node gives to it.
   *
   * @param origin - id of the `influx-aggregate` node
   * @param grace - milliseconds from the end of a window until it is computed
   * @param connection - to read by
   */
  aggregator(origin: string, grace: number, connection: InfluxServer, listener: AggregatorListener): Aggregator {
    const source = {
      marks: this.#marks,
      mostResults: Math.min(MOST_RESULTS, Math.floor(this.#limitBytes / BYTES_A_RESULT)),
      overwrites: connection.overwrites,
      trouble: (bucket: string) => this.#troubleOf(bucket),
      left: (bucket: string) => this.#queue?.left(bucket),
      waiting: (bucket: string) => this.#queue?.waiting(bucket) ?? 0,
      accept: (bucket: string, line: string, stored: StoredCallback) =>
        this.accept(bucket, 'sensor', origin, line, stored),
      query: (bucket: string, statement: string, signal: AbortSignal) => connection.query(bucket, statement, signal),
    };
    return new Aggregator({ node: origin, source, grace, listener });
  }

  /** All nodes have started: those that aggregated here once and are not among them have gone for good. */
  nodesStarted(): void {
    this.#marks.forgetAbsent();
  }

  /** Stores what was taken over and lets go of everything; what is not written stays in the queue. */
  async close(): Promise<void> {
    // Points that wait for the queue to be open are taken over first.
    for (let opening; opening !== this.#opening;) {
      opening = this.#opening;
      await opening;
    }
    this.#closed = true;
    clearTimeout(this.#reopenTimer);
    this.#problem = new PackError('store-unavailable', 'The queue is closed');
    await this.#closeQueue();
    await this.#closeStore();
  }

  async #open(): Promise<void> {
    clearTimeout(this.#reopenTimer);
    if (this.#closed) return;
    try {
      if (!this.#store) {
        this.#store = await Store.open(this.#options.directory);
        this.#listenTo(this.#store);
      }
      for (const queue of this.#inherited) {
        await this.#inherit(this.#store, queue);
        this.#inherited.delete(queue);
      }
      const queue = await PointQueue.open(this.#store, this.place, {
        limitBytes: this.#limitBytes,
        companion: this.#marks,
      });
      this.#listenToQueue(queue);
      this.#startWriter(queue);
      this.#queue = queue;
      this.#problem = undefined;
    } catch (error) {
      await this.#closeStore();
      this.#cannotOpen(error);
    }
    this.#changed();
  }

  #inheritLater(queue: string): void {
    this.#inherited.add(queue);
    this.#opening = this.#opening.then(() => this.#inheritNow());
  }

  /** If the queue is not open, it is done when it is opened. */
  async #inheritNow(): Promise<void> {
    const store = this.#store;
    if (this.#closed || !this.#queue || !store) return;
    try {
      for (const queue of this.#inherited) if (!(await hasQueue(store, queue))) this.#inherited.delete(queue);
    } catch {
      return; // the store is being opened anew, and says so when it is
    }
    if (this.#inherited.size === 0) return;
    clearTimeout(this.#reopenTimer);
    await this.#closeQueue();
    await this.#open();
  }

  async #closeQueue(): Promise<void> {
    const queue = this.#queue;
    await this.#writer?.close();
    this.#writer = undefined;
    // What comes from here on waits for the queue to be open again.
    this.#queue = undefined;
    await queue?.close();
    if (queue) keepTotals(this.place, queue.totals());
  }

  async #closeStore(): Promise<void> {
    this.#stopListening?.();
    await this.#store?.close();
    this.#store = undefined;
  }

  async #inherit(store: Store, queue: string): Promise<void> {
    if (!(await hasQueue(store, queue))) return;
    const { points, lost } = await withClaim(store, queue, async () => {
      await copyMarks(store, queue, this.place);
      const moved = await moveQueue(store, queue, this.place);
      await removeRanges(store, markRanges(queue));
      return moved;
    });
    forgetTotals(queue);
    if (points > 0) this.#report('log', 'taken-over', { points, queue, place: this.place });
    if (lost > 0) this.#report('warn', 'points-damaged', { bucket: queue, points: lost }, queue);
  }

  #add(user: DeliveryUser): void {
    this.#users.push(user);
    this.#connections.add(user.connection);
    this.#setLimit();
    this.#writer?.tryAgain();
  }

  /** What the most generous of the nodes allows. When the last one leaves, what it has taken over is still to be stored. */
  #setLimit(): void {
    if (!this.isUsed) return;
    this.#limitBytes = this.#users.reduce((most, { limitBytes }) => Math.max(most, limitBytes), 0);
    this.#queue?.limit(this.#limitBytes);
  }

  /** Says it by the node that came last. */
  #report(...report: Parameters<Report>): void {
    this.#users.at(-1)?.report(...report);
  }

  #cannotOpen(error: unknown): void {
    const reason = reasonOf(error);
    if (reason !== this.#problem?.message) this.#report('warn', 'store-unavailable', { reason }, reason);
    this.#problem = error instanceof PackError ? error : new PackError('store-unavailable', reason, { cause: error });
    if (this.#closed) return;
    this.#reopenTimer = setTimeout(() => {
      this.#opening = this.#open();
    }, REOPEN_INTERVAL);
  }

  #listenTo(store: Store): void {
    this.#stopListening = store.listen({
      opened: () => {
        this.#opening = this.#opening.then(() => this.#inheritNow());
        this.#changed();
      },
      damaged: ({ reason, copy }) => this.#report('warn', 'damaged', { reason, copy }),
      putAside: ({ kind, records, fault }) => this.#report('warn', `aside-${fault}`, { kind, records }, kind),
    });
  }

  #listenToQueue(queue: PointQueue): void {
    queue.onCompanionFailed((error) => this.#report('warn', 'not-marked', { reason: reasonOf(error) }));
    queue.onDamaged(({ bucket, points }) => this.#report('warn', 'points-damaged', { bucket, points }, bucket));
    queue.onDropped(({ bucket, points }) => {
      this.#report('warn', 'points-dropped', { bucket, points }, bucket);
      this.#changed();
    });
  }

  #startWriter(queue: PointQueue): void {
    this.#writer = new Writer(queue, this.#connections);
    this.#writer.onWritten((batch) => {
      this.#listenerOf(batch.origin)?.written(batch);
      this.#changed();
    });
    this.#writer.onRefused((point) => {
      const listener = this.#listenerOf(point.origin);
      if (listener) listener.refused(point);
      else this.#report('warn', 'refused', { bucket: point.bucket, line: point.line, reason: point.reason });
    });
    this.#writer.onState((state) => {
      this.#reportState(state);
      this.#changed();
    });
    this.#writer.start();
  }

  #reportState({ bucket, state, reason }: BucketState & { bucket: string }): void {
    if (state === 'retrying' || state === 'configuration') {
      this.#inTrouble.add(bucket);
      this.#report('warn', state, { bucket, reason: reason ?? '' }, `${bucket} ${reason ?? ''}`);
    } else if (this.#inTrouble.delete(bucket)) {
      this.#report('log', 'writing', { bucket });
    }
  }

  #troubleOf(bucket: string): string | undefined {
    const { state, reason } = this.#writer?.states().get(bucket) ?? {};
    return state === 'retrying' || state === 'configuration' ? reason : undefined;
  }

  /** The node that accepted the point; when that is gone, another one that writes to this server. */
  #listenerOf(origin: string): DeliveryListener | undefined {
    return this.#listeners.get(origin) ?? this.#listeners.values().next().value;
  }

  #changed(): void {
    for (const listener of this.#listeners.values()) listener.changed();
    this.changed.notify();
  }
}

/** Whether there are points in a queue of this name, or windows marked beside it. */
function hasQueue(store: Store, queue: string): Promise<boolean> {
  return hasRecords(store, [...queueRanges(queue), ...markRanges(queue)]);
}
