import { reasonOf } from '../errors';
import type { Chunk, PointQueue } from '../store/queue';
import { WakeUp } from './wake-up';
import type { RefusedLine, WriteOutcome } from './outcome';
import { findRefused, type Verdict } from './refused-lines';
import { Backoff, type BackoffOptions } from './retry';
import { BATCH_BYTES, type WriteTarget } from './server';
import { Suspicion } from './suspicion';

/** What the writer of a bucket is doing. */
export interface BucketState {
  /** `configuration`: only an operator can help; it is tried again all the same */
  state: 'idle' | 'writing' | 'retrying' | 'configuration';
  /** Why it is not writing, in the server's words where there are some. */
  reason?: string;
  /** In this state since: ms since 1970. */
  since: number;
  /** When it is tried again: ms since 1970. */
  nextAttempt?: number;
}

export interface BucketWriterOptions {
  bucket: string;
  queue: PointQueue;
  server: WriteTarget;
  /** Lines for one request. */
  batchLines: number;
  /** Milliseconds that points wait for others to be written with. */
  batchMilliseconds: number;
  /** Waits while the server cannot be reached or has too much to do. */
  retry: BackoffOptions;
  /** Waits while an operator must put something right. */
  configuration: BackoffOptions;
  /** The batch is in InfluxDB but for the refused lines, and off the queue. */
  onWritten(chunks: readonly Chunk[], refused: readonly number[], milliseconds: number): void;
  /** A line of one of the chunks is refused for good. */
  onRefused(chunk: Chunk, line: string, reason: string): void;
  onState(state: BucketState): void;
  /** The server takes points again after it did not. */
  onRecovered(): void;
}

/** From so many lines on, a batch is worth a request of its own, */
const WORTH_A_REQUEST = 100;
/** and waits no longer when none has come for this part of the time: the end of a burst. */
const QUIET_PART = 10;

/** Other lines are taken, these are not. */
function suspected(outcome: Extract<WriteOutcome, { kind: 'retry' | 'configuration' }>): Verdict {
  const isBroken = outcome.kind === 'retry' && outcome.brokeOff === true;
  return { kind: 'refused', reason: isBroken ? `no answer to this line: ${outcome.reason}` : outcome.reason };
}

/** Ends the loop wherever it is. */
class ClosedError extends Error {}

/** Writes the points of one bucket, batch after batch, for as long as it takes. */
export class BucketWriter {
  readonly #options: BucketWriterOptions;
  readonly #wakeUp = new WakeUp();
  readonly #abort = new AbortController();
  readonly #retry: Backoff;
  readonly #configuration: Backoff;
  readonly #ended: Promise<void>;
  /** Settles when the writer is closed. */
  #close: () => void = () => undefined;
  readonly #closed = new Promise<void>((resolve) => {
    this.#close = resolve;
  });
  #state: BucketState = { state: 'idle', since: Date.now() };
  /** Lines for the next request: fewer after one that broke off, and soon all again. */
  #lines: number;
  #mayHurry = true;
  /** Bytes that no request may exceed: fewer after one that was too large. */
  #bytes = BATCH_BYTES;
  readonly #suspicion: Suspicion;

  constructor(options: BucketWriterOptions) {
    this.#options = options;
    this.#retry = new Backoff(options.retry);
    this.#configuration = new Backoff(options.configuration);
    this.#lines = options.batchLines;
    this.#suspicion = new Suspicion({
      write: (line) => this.#write(line),
      isUp: () => options.server.isUp(),
      nextLine: () => this.#nextLine(),
    });
    this.#ended = this.#run();
  }

  get state(): BucketState {
    return this.#state;
  }

  /** Points have come, or can be taken again. */
  notice(): void {
    if (this.#state.state === 'idle' || this.#state.state === 'writing') this.#wakeUp.ring();
  }

  /**
   * Tries again at once if it is waiting for the server, unless the server has said how long.
   *
   * @param options - `configuration`: also if it is waiting for an operator
   */
  tryAgain(options: { configuration?: boolean } = {}): void {
    const { state } = this.#state;
    if (state === 'retrying' ? this.#mayHurry : state === 'configuration' && options.configuration === true)
      this.#wakeUp.ring();
  }

  /** Ends what is under way; what is not written stays in the queue. */
  async close(): Promise<void> {
    this.#abort.abort(new ClosedError('closed'));
    this.#close();
    this.#wakeUp.ring();
    await this.#ended;
  }

  #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed()) {
      try {
        await this.#untilDue();
        await this.#writeBatch();
      } catch (error) {
        if (!this.#isClosed()) await this.#wait('retrying', reasonOf(error), this.#retry.next());
      }
    }
  }

  /** Waits until a batch is full, has waited long enough, or is worth a request and nothing more is coming. */
  async #untilDue(): Promise<void> {
    const { bucket, queue, batchLines, batchMilliseconds } = this.#options;
    let before = 0;
    let latest = Infinity;
    let quiet = Infinity;
    while (!this.#isClosed()) {
      const waiting = queue.waiting(bucket);
      if (waiting >= batchLines) return;
      if (waiting === 0) {
        this.#enter({ state: 'idle' });
        latest = Infinity;
        await this.#wakeUp.wait();
      } else {
        const now = Date.now();
        latest = Math.min(latest, now + batchMilliseconds);
        if (waiting < WORTH_A_REQUEST) quiet = Infinity;
        else if (waiting !== before) quiet = now + batchMilliseconds / QUIET_PART;
        const left = Math.min(latest, quiet) - now;
        if (left <= 0) return;
        await this.#wakeUp.wait(left);
      }
      before = waiting;
    }
  }

  async #writeBatch(): Promise<void> {
    const { bucket, queue, batchLines } = this.#options;
    if (this.#isClosed()) return;
    const chunks = await queue.take(bucket, batchLines);
    if (chunks.length === 0) return;
    try {
      this.#abort.signal.throwIfAborted();
      await this.#deliver(chunks);
    } catch (error) {
      queue.release(chunks);
      throw error;
    }
  }

  async #deliver(chunks: readonly Chunk[]): Promise<void> {
    const started = Date.now();
    this.#enter({ state: 'writing' });
    const refused = await this.#writeAll(chunks);
    const counts = this.#reportRefused(chunks, refused);
    const removal = this.#options.queue.remove(chunks, { refused: counts }).then(() => true);
    // While the store cannot be written to, that takes long; a close must not wait for it.
    const isRemoved = await Promise.race([removal, this.#closed.then(() => false)]);
    if (isRemoved) this.#options.onWritten(chunks, counts, Date.now() - started);
  }

  async #writeAll(chunks: readonly Chunk[]): Promise<RefusedLine[]> {
    const points = chunks.reduce((sum, chunk) => sum + chunk.points, 0);
    // Nearly always one request is all: then the lines need not be told apart.
    const text = this.#lines >= points ? chunks.map((chunk) => chunk.text()).join('\n') : '';
    if (text === '' || Buffer.byteLength(text) > this.#bytes)
      return this.#writeLines(chunks.flatMap((chunk) => chunk.lines()));
    const outcome = await this.#write(text);
    if (outcome.kind === 'written') {
      this.#succeeded(chunks.at(-1)?.lines().slice(-1));
      return [];
    }
    return this.#writeLines(
      chunks.flatMap((chunk) => chunk.lines()),
      outcome,
    );
  }

  /** @param earlier - outcome of an attempt with all lines at once */
  async #writeLines(lines: string[], earlier?: WriteOutcome): Promise<RefusedLine[]> {
    const refused: RefusedLine[] = [];
    let outcome = earlier;
    this.#suspicion.begin(lines);
    for (let at = 0; at < lines.length;) {
      const piece = outcome ? lines : this.#piece(lines, at);
      const verdict = await this.#verdict(piece, outcome ?? (await this.#write(piece.join('\n'))));
      outcome = undefined;
      if (verdict === undefined) continue;
      const found = await findRefused(piece, verdict, (some) => this.#writeSome(some));
      for (const { index, reason } of found) refused.push({ index: at + index, reason });
      at += piece.length;
    }
    return refused;
  }

  /** Part of a search for refused lines: goes on until there is a verdict, on smaller requests if need be. */
  async #writeSome(lines: readonly string[]): Promise<Verdict> {
    for (;;) {
      const outcome = await this.#write(lines.join('\n'));
      const verdict = await this.#verdict(lines, outcome);
      if (verdict) return verdict;
      const isSmaller = outcome.kind === 'too-large' || (outcome.kind === 'retry' && outcome.brokeOff === true);
      if (isSmaller && lines.length > 1) return { kind: 'too-large', reason: outcome.reason };
    }
  }

  /** The lines for one request, from `at` on: as many as may be, at least one. */
  #piece(lines: readonly string[], at: number): string[] {
    let end = at + 1;
    let bytes = Buffer.byteLength(lines[at] ?? '');
    while (end < lines.length && end - at < this.#lines) {
      bytes += 1 + Buffer.byteLength(lines[end] ?? '');
      if (bytes > this.#bytes) break;
      end += 1;
    }
    return lines.slice(at, end);
  }

  #write(body: string): Promise<WriteOutcome> {
    return this.#options.server.write(this.#options.bucket, body, this.#abort.signal);
  }

  /** A line behind those that are taken: it is only looked at, and stays where it is. */
  async #nextLine(): Promise<string | undefined> {
    const { bucket, queue } = this.#options;
    const chunks = await queue.take(bucket, 1);
    queue.release(chunks);
    return chunks[0]?.lines()[0];
  }

  /** What an outcome says of the lines; undefined after it has waited, or learnt to send less, and they must be sent again. */
  async #verdict(lines: readonly string[], outcome: WriteOutcome): Promise<Verdict | undefined> {
    switch (outcome.kind) {
      case 'retry':
        if (await this.#suspicion.isOfLines(lines, outcome)) return suspected(outcome);
        if (outcome.brokeOff === true) this.#lines = Math.max(1, Math.ceil(lines.length / 2));
        this.#mayHurry = outcome.retryAfter === undefined;
        await this.#hold('retrying', outcome.reason, this.#retry.next(outcome.retryAfter));
        return undefined;
      case 'configuration':
        if (await this.#suspicion.isOfLines(lines, outcome)) return suspected(outcome);
        await this.#hold('configuration', outcome.reason, this.#configuration.next());
        return undefined;
      case 'too-large':
        if (lines.length === 1) break;
        this.#bytes = Math.min(this.#bytes, Math.floor(Buffer.byteLength(lines.join('\n')) / 2));
        return undefined;
      default:
    }
    this.#succeeded(outcome.kind === 'written' ? lines : []);
    return outcome;
  }

  /** @param stored - lines of which it is known */
  #succeeded(stored: readonly string[] = []): void {
    this.#suspicion.hasStored(stored);
    this.#lines = Math.min(this.#options.batchLines, this.#lines * 2);
    this.#retry.reset();
    this.#configuration.reset();
    if (this.#state.state === 'writing') return;
    this.#enter({ state: 'writing' });
    this.#options.onRecovered();
  }

  /** @returns the number of refused lines of each chunk */
  #reportRefused(chunks: readonly Chunk[], refused: readonly RefusedLine[]): number[] {
    if (refused.length === 0) return [];
    const reasons = new Map(refused.map(({ index, reason }) => [index, reason]));
    let index = 0;
    return chunks.map((chunk) => {
      let count = 0;
      for (const line of chunk.lines()) {
        const reason = reasons.get(index++);
        if (reason === undefined) continue;
        count += 1;
        this.#options.onRefused(chunk, line, reason);
      }
      return count;
    });
  }

  /** @throws ClosedError when the writer has been closed meanwhile */
  async #hold(state: 'retrying' | 'configuration', reason: string, milliseconds: number): Promise<void> {
    await this.#wait(state, reason, milliseconds);
    this.#abort.signal.throwIfAborted();
  }

  async #wait(state: 'retrying' | 'configuration', reason: string, milliseconds: number): Promise<void> {
    this.#enter({ state, reason, nextAttempt: Date.now() + milliseconds });
    if (!this.#isClosed()) await this.#wakeUp.wait(milliseconds);
  }

  #enter(next: Omit<BucketState, 'since'>): void {
    const isSame = next.state === this.#state.state && next.reason === this.#state.reason;
    this.#state = { ...next, since: isSame ? this.#state.since : Date.now() };
    if (!isSame) this.#options.onState(this.#state);
  }
}
