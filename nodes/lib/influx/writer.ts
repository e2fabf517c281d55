import type { Point } from '../point';
import { Listeners } from '../store/listeners';
import type { Chunk, PointQueue } from '../store/queue';
import { BucketWriter, type BucketState } from './bucket-writer';
import { parseLine } from './parse-line';
import { CONFIGURATION, RETRY, type BackoffOptions } from './retry';
import type { WriteTarget } from './server';

export type { BucketState } from './bucket-writer';

export interface WriterOptions {
  /** Lines for one request; default: what suits the version of the server. */
  batchLines?: number;
  /** Milliseconds that points wait for others to be written with. Default 200. */
  batchMilliseconds?: number;
  /** Waits while the server cannot be reached or has too much to do. Default: 1 s, doubling up to 60 s. */
  retry?: BackoffOptions;
  /** Waits while an operator must put something right. Default: 2 s, doubling up to 30 s. */
  configuration?: BackoffOptions;
}

/** Points of one node that are in InfluxDB now. */
export interface WrittenBatch {
  /** Id of the node that accepted them. */
  origin: string;
  bucket: string;
  points: number;
  /** From the first attempt to write the batch until it was off the queue. */
  milliseconds: number;
}

/** A point that InfluxDB will never take. */
export interface RefusedPoint {
  /** Id of the node that accepted it. */
  origin: string;
  bucket: string;
  /** The line of line protocol. */
  line: string;
  /** The same, taken apart; absent for a line that the pack has not made. */
  point?: Point;
  /** InfluxDB's own words. */
  reason: string;
}

/** Long enough to fill a request under load, short enough that nobody waits for a single point. */
const BATCH_MILLISECONDS = 200;

function pointOf(bucket: string, line: string): Point | undefined {
  try {
    return { bucket, ...parseLine(line) };
  } catch {
    return undefined; // then the line itself is all there is
  }
}

/**
 * Writes what a queue holds to InfluxDB. A chunk is taken off the queue only when each of its lines is stored or has been
 * reported as refused. Each bucket is written by itself, so that one in trouble does not hold up the others.
 */
export class Writer {
  readonly #queue: PointQueue;
  readonly #server: WriteTarget;
  readonly #settings: Required<WriterOptions>;
  readonly #buckets = new Map<string, BucketWriter>();
  readonly #written = new Listeners<WrittenBatch>();
  readonly #refused = new Listeners<RefusedPoint>();
  readonly #state = new Listeners<BucketState & { bucket: string }>();
  /** Buckets whose points are being discarded. */
  readonly #discarding = new Set<string>();
  #unlisten: (() => void) | undefined;

  constructor(queue: PointQueue, server: WriteTarget, options: WriterOptions = {}) {
    this.#queue = queue;
    this.#server = server;
    this.#settings = {
      batchLines: server.batchLines,
      batchMilliseconds: BATCH_MILLISECONDS,
      retry: RETRY,
      configuration: CONFIGURATION,
      ...options,
    };
  }

  /** Begins with what the queue holds, and goes on with what comes into it. */
  start(): void {
    this.#unlisten ??= this.#queue.onAvailable((bucket) => this.#notice(bucket));
    for (const bucket of this.#queue.buckets()) this.#notice(bucket);
  }

  /** Ends what is under way, at once; what is not written stays in the queue. */
  async close(): Promise<void> {
    this.#unlisten?.();
    this.#unlisten = undefined;
    await Promise.all(Array.from(this.#buckets.values(), (writer) => writer.close()));
  }

  /** Something may have been put right: what waits for the server is tried again. */
  tryAgain(): void {
    for (const writer of this.#buckets.values()) writer.tryAgain({ configuration: true });
  }

  /**
   * Takes all points of a bucket off the queue that wait in it or are being written. They count as dropped.
   *
   * @returns how many
   * @throws PackError `store-unavailable`
   */
  async discard(bucket: string): Promise<number> {
    if (this.#discarding.has(bucket)) return 0;
    this.#discarding.add(bucket);
    try {
      await this.#buckets.get(bucket)?.close();
      this.#buckets.delete(bucket);
      return await this.#queue.discard(bucket);
    } finally {
      this.#discarding.delete(bucket);
      if (this.#queue.waiting(bucket) > 0) this.#notice(bucket);
    }
  }

  /** What is done about each bucket that had points. */
  states(): ReadonlyMap<string, BucketState> {
    return new Map(Array.from(this.#buckets, ([bucket, { state }]) => [bucket, state]));
  }

  /** Called once for a batch and node whose points are in it. Returns a function that ends that, like all of these. */
  onWritten(listener: (batch: WrittenBatch) => void): () => void {
    return this.#written.add(listener);
  }

  /** Called once for a refused point, before it is taken off the queue. */
  onRefused(listener: (point: RefusedPoint) => void): () => void {
    return this.#refused.add(listener);
  }

  /** Called when the state of a bucket or its reason changes. */
  onState(listener: (state: BucketState & { bucket: string }) => void): () => void {
    return this.#state.add(listener);
  }

  #notice(bucket: string): void {
    if (this.#unlisten !== undefined && !this.#discarding.has(bucket)) this.#writerOf(bucket).notice();
  }

  #writerOf(bucket: string): BucketWriter {
    let writer = this.#buckets.get(bucket);
    if (!writer) {
      writer = new BucketWriter({
        bucket,
        queue: this.#queue,
        server: this.#server,
        ...this.#settings,
        onWritten: (chunks, refused, milliseconds) => this.#reportWritten(bucket, chunks, refused, milliseconds),
        onRefused: ({ origin }, line, reason) => {
          const point = pointOf(bucket, line);
          this.#refused.call({ origin, bucket, line, reason, ...(point && { point }) });
        },
        onState: (state) => this.#state.call({ ...state, bucket }),
        onRecovered: () => {
          for (const other of this.#buckets.values()) other.tryAgain();
        },
      });
      this.#buckets.set(bucket, writer);
    }
    return writer;
  }

  #reportWritten(bucket: string, chunks: readonly Chunk[], refused: readonly number[], milliseconds: number): void {
    const points = new Map<string, number>();
    for (const [index, chunk] of chunks.entries()) {
      points.set(chunk.origin, (points.get(chunk.origin) ?? 0) + chunk.points - (refused[index] ?? 0));
    }
    for (const [origin, count] of points) {
      if (count > 0) this.#written.call({ origin, bucket, points: count, milliseconds });
    }
  }
}
