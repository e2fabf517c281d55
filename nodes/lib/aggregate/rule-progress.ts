import { QueryError } from '../influx/query';
import { Backoff, RETRY } from '../influx/retry';
import { reasonOf } from '../errors';
import type { Mark } from './mark';
import { RowEstimate } from './row-estimate';

/** A wait that becomes longer while what it is for goes on failing. */
interface Pause {
  readonly backoff: Backoff;
  until: number;
}

function pause(): Pause {
  return { backoff: new Backoff(RETRY), until: 0 };
}

/** After this long without a drop, the next one is taken for the first again. */
const DROPS_FORGOTTEN = 60_000;
/** What another query of the same server may be spared. */
const OF_WINDOWS: ReadonlySet<QueryError['code']> = new Set(['statement', 'timeout', 'too-large']);
const DROPS = 'the queue is full and drops results';

/** What is known of a rule beside its marks. Times in milliseconds of a clock that nobody sets. */
export class RuleProgress {
  readonly estimate: RowEstimate;
  /** Why its windows, or some of them, cannot be computed. */
  trouble: string | undefined;
  /** The start of the oldest window that waits: ms since 1970. */
  oldest: number | undefined;
  /** Windows that are still marked, but too old to be computed. */
  old = 0;
  readonly #rule = pause();
  readonly #windows = pause();
  readonly #drops = pause();
  #dropped = 0;
  /** Starts of windows that the server could not answer for, though it can be reached: the last tried last. */
  readonly #failed = new Set<number>();
  #newestFirst = true;
  /** Windows whose results may still be in the queue: the sequence of the chunk after theirs, by start. */
  readonly #queued = new Map<number, number>();
  /** The same for all windows, of what was in the queue when nothing was known of it. */
  #queuedBefore: number | undefined;

  /** @param rows - raw rows to read with one query, about */
  constructor(rows: number) {
    this.estimate = new RowEstimate(rows);
  }

  /** Whether the rule is to be left alone for now. */
  rests(now: number): boolean {
    return now < Math.max(this.#rule.until, this.#drops.until);
  }

  /**
   * The queue may have dropped results. To make more of them then would only drop others, and points of other nodes.
   *
   * @param dropped - results that were ever dropped
   * @returns whether the rule is to be left alone for that
   */
  hasLost(dropped: number, now: number): boolean {
    if (dropped === this.#dropped) return false;
    if (now - this.#drops.until > DROPS_FORGOTTEN) this.#drops.backoff.reset();
    this.#dropped = dropped;
    this.#drops.until = now + this.#drops.backoff.next();
    this.trouble = DROPS;
    return true;
  }

  /** How many windows it has tried in vain, apart from the others. */
  get failed(): number {
    return this.#failed.size;
  }

  /**
   * Parts due windows in those to compute now, and those to try again: these must keep neither the others waiting nor each
   * other, so the one that was tried last comes last.
   */
  part(due: readonly Mark[], now: number): { due: Mark[]; again: Mark[] } {
    const again = new Map<number, Mark>();
    const others: Mark[] = [];
    for (const mark of due) {
      if (this.#failed.has(mark.start)) again.set(mark.start, mark);
      else others.push(mark);
    }
    if (now < this.#windows.until) return { due: others, again: [] };
    return { due: others, again: [...this.#failed].flatMap((start) => again.get(start) ?? []) };
  }

  /** The newest is what somebody looks at, and the oldest has the least time left: they take turns to be the first. */
  order<T>(groups: readonly T[]): T[] {
    const inFront = this.#newestFirst ? 0 : 1;
    return [...groups.slice(0, -1).slice(0, inFront), ...groups.slice(-1), ...groups.slice(0, -1).slice(inFront)];
  }

  succeeded(group: readonly Mark[]): void {
    for (const { start } of group) this.#failed.delete(start);
    this.#newestFirst = !this.#newestFirst;
    this.#rule.backoff.reset();
    if (this.#failed.size === 0) this.trouble = undefined;
  }

  /**
   * Windows could not be computed.
   *
   * @returns whether others may be: the fault is with these windows, not with the way to the server
   */
  hasFailed(group: readonly Mark[], error: unknown, now: number): boolean {
    this.trouble = reasonOf(error);
    this.#newestFirst = !this.#newestFirst;
    this.estimate.failed(group.length);
    const isOfWindows = error instanceof QueryError && OF_WINDOWS.has(error.code);
    const rest = isOfWindows ? this.#windows : this.#rule;
    rest.until = now + rest.backoff.next();
    if (!isOfWindows) return false;
    for (const { start } of group) {
      this.#failed.delete(start);
      this.#failed.add(start);
    }
    return true;
  }

  /** These are not marked one by one any more. */
  forget(group: readonly Mark[]): void {
    for (const { start } of group) this.#failed.delete(start);
  }

  /**
   * Results that must not be written over are compared with those that InfluxDB has: what is on its way there must have
   * arrived.
   *
   * @param left - chunks of the results' bucket that have left the queue have lower sequences than this
   * @param stored - and all that were stored than this
   * @returns whether that can be done now, for windows that are not {@link isQueued}
   */
  canCompare(left: number, stored: number): boolean {
    this.#queuedBefore ??= stored;
    for (const [start, sequence] of this.#queued) if (sequence <= left) this.#queued.delete(start);
    return left >= this.#queuedBefore;
  }

  /** Whether results of the window may still be in the queue. */
  isQueued(start: number): boolean {
    return this.#queued.has(start);
  }

  /** Results of these are in the queue now, in chunks with lower sequences. */
  hasQueued(group: readonly Mark[], stored: number): void {
    for (const { start } of group) this.#queued.set(start, stored);
  }

  /** Results may be in the queue without anybody knowing of which windows. */
  hasQueuedUnknown(): void {
    this.#queuedBefore = undefined;
  }

  /** The rule had its turn, and nothing failed that stops all of it. */
  hasBeen(marked: ReadonlyMap<number, Mark>): void {
    for (const start of this.#failed) if (!marked.has(start)) this.#failed.delete(start);
    this.#rule.backoff.reset();
    if (this.#failed.size > 0) return;
    this.#windows.backoff.reset();
    this.trouble = undefined;
  }
}
