import { Aggregator, type AggregatorListener } from '../lib/aggregate/aggregator';
import { Marks } from '../lib/aggregate/marks';
import { PackError, reasonOf } from '../lib/errors';
import { connect } from '../lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../lib/influx/server';
import { Writer, type BucketState, type RefusedPoint, type WrittenBatch } from '../lib/influx/writer';
import { PointQueue, type Priority, type QueueTotals, type StoredCallback } from '../lib/store/queue';
import { Store } from '../lib/store/store';
import { newTotals } from '../lib/store/totals';
import { keepTotals, totalsSinceStart } from './carried-totals';

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
  /** Id of the `influx-server` node: the name of its queue. */
  server: string;
  limitBytes: number;
  connection: ConnectOptions;
  report: Report;
}

/** Results of aggregation that may wait for a bucket: so many, or a tenth of a small queue, with 200 bytes each. */
const MOST_RESULTS = 50_000;
const BYTES_A_RESULT = 2000;

/** Milliseconds between attempts to open a store that could not be opened. */
const REOPEN_INTERVAL = 5000;

/**
 * The durable way of points to one InfluxDB: queue on disk, writer, and those who want to hear what became of their
 * points. Points are taken from the first moment; while the store is being opened they wait for it.
 */
export class Delivery {
  /** The InfluxDB itself, for reading and managing it; points go there by the queue. */
  readonly connection: InfluxServer;
  readonly #options: DeliveryOptions;
  readonly #marks: Marks;
  readonly #listeners = new Map<string, DeliveryListener>();
  /** Buckets whose trouble was reported, and whose recovery is to be. */
  readonly #inTrouble = new Set<string>();
  #store: Store | undefined;
  #queue: PointQueue | undefined;
  #writer: Writer | undefined;
  #opening: Promise<void>;
  #reopenTimer: NodeJS.Timeout | undefined;
  #problem: PackError | undefined;

  /** @throws PackError `not-configured` when the connection's options can never work */
  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.connection = connect(options.connection);
    this.#marks = new Marks(options.server);
    this.#opening = this.#open();
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
    return totalsSinceStart(this.#options.server, this.#queue?.totals());
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
   */
  aggregator(origin: string, grace: number, listener: AggregatorListener): Aggregator {
    const source = {
      marks: this.#marks,
      mostResults: Math.min(MOST_RESULTS, Math.floor(this.#options.limitBytes / BYTES_A_RESULT)),
      left: (bucket: string) => this.#queue?.left(bucket),
      waiting: (bucket: string) => this.#queue?.waiting(bucket) ?? 0,
      accept: (bucket: string, line: string, stored: StoredCallback) =>
        this.accept(bucket, 'sensor', origin, line, stored),
      query: (bucket: string, statement: string, signal: AbortSignal) =>
        this.connection.query(bucket, statement, signal),
    };
    return new Aggregator({ node: origin, source, grace, listener });
  }

  /** All nodes have started: those that aggregated here once and are not among them have gone for good. */
  nodesStarted(): void {
    this.#marks.forgetAbsent();
  }

  /** Stores what was taken over and lets go of everything; what is not written stays in the queue. */
  async close(): Promise<void> {
    clearTimeout(this.#reopenTimer);
    await this.#opening;
    clearTimeout(this.#reopenTimer);
    await this.#writer?.close();
    await this.#queue?.close();
    if (this.#queue) keepTotals(this.#options.server, this.#queue.totals());
    this.#queue = undefined;
    this.#problem = new PackError('store-unavailable', 'The queue is closed');
    await this.#store?.close();
    this.connection.close();
  }

  async #open(): Promise<void> {
    try {
      this.#store = await Store.open(this.#options.directory);
      const queue = await PointQueue.open(this.#store, this.#options.server, {
        limitBytes: this.#options.limitBytes,
        companion: this.#marks,
      });
      this.#listenTo(this.#store, queue);
      this.#startWriter(queue);
      this.#queue = queue;
      this.#problem = undefined;
    } catch (error) {
      await this.#store?.close();
      this.#store = undefined;
      this.#cannotOpen(error);
    }
    this.#changed();
  }

  #cannotOpen(error: unknown): void {
    const reason = reasonOf(error);
    if (reason !== this.#problem?.message) this.#options.report('warn', 'store-unavailable', { reason }, reason);
    this.#problem = error instanceof PackError ? error : new PackError('store-unavailable', reason, { cause: error });
    this.#reopenTimer = setTimeout(() => {
      this.#opening = this.#open();
    }, REOPEN_INTERVAL);
  }

  #listenTo(store: Store, queue: PointQueue): void {
    const { report } = this.#options;
    store.listen({
      opened: () => this.#changed(),
      damaged: ({ reason, copy }) => report('warn', 'damaged', { reason, copy }),
    });
    queue.onDamaged(({ bucket, points }) => report('warn', 'points-damaged', { bucket, points }, bucket));
    queue.onDropped(({ bucket, points }) => {
      report('warn', 'points-dropped', { bucket, points }, bucket);
      this.#changed();
    });
  }

  #startWriter(queue: PointQueue): void {
    this.#writer = new Writer(queue, this.connection);
    this.#writer.onWritten((batch) => {
      this.#listenerOf(batch.origin)?.written(batch);
      this.#changed();
    });
    this.#writer.onRefused((point) => {
      const listener = this.#listenerOf(point.origin);
      if (listener) listener.refused(point);
      else this.#options.report('warn', 'refused', { bucket: point.bucket, line: point.line, reason: point.reason });
    });
    this.#writer.onState((state) => {
      this.#reportState(state);
      this.#changed();
    });
    this.#writer.start();
  }

  #reportState({ bucket, state, reason }: BucketState & { bucket: string }): void {
    const { report } = this.#options;
    if (state === 'retrying' || state === 'configuration') {
      this.#inTrouble.add(bucket);
      report('warn', state, { bucket, reason: reason ?? '' }, `${bucket} ${reason ?? ''}`);
    } else if (this.#inTrouble.delete(bucket)) {
      report('log', 'writing', { bucket });
    }
  }

  /** The node that accepted the point; when that is gone, another one that writes to this server. */
  #listenerOf(origin: string): DeliveryListener | undefined {
    return this.#listeners.get(origin) ?? this.#listeners.values().next().value;
  }

  #changed(): void {
    for (const listener of this.#listeners.values()) listener.changed();
  }
}
