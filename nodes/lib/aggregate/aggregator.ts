import { setImmediate } from 'node:timers/promises';
import { PackError, reasonOf } from '../errors';
import type { QuerySource } from '../influx/query';
import { Backoff, RETRY } from '../influx/retry';
import { WakeUp } from '../influx/wake-up';
import type { Reach } from '../store/lanes';
import type { StoredCallback } from '../store/queue';
import { dueWindows, groupsOf, hasEnded, oldestWhole } from './due';
import { isWritten, type Mark, type RuleMarks, type SeriesSet } from './mark';
import { seriesOf, type Marks } from './marks';
import { resultLine, Results } from './results';
import type { Rule } from './rules';
import { Share } from './share';
import { statementOf } from './statement';
import { windowsOf } from './windows';

/** Windows that were computed together, and whose results are in the queue. */
export interface ComputedBatch {
  measurement: string;
  bucket: string;
  into: string;
  /** Length of a window in milliseconds. */
  every: number;
  /** Start of the first window and end of the last: ms since 1970. */
  from: number;
  to: number;
  windows: number;
  /** Rows of results: one a series and window. */
  series: number;
  /** Raw points that were read. */
  points: number;
  milliseconds: number;
}

/** How far it is. */
export interface AggregationState {
  /** Windows that have ended and are still to be computed. */
  waiting: number;
  /** Marked windows that have not ended. */
  open: number;
  /** Windows computed since the node started. */
  computed: number;
  /** Windows left as they are, because part of their raw points may be gone. */
  expired: number;
  /** Rows of results that InfluxDB could not hold. */
  unusable: number;
  /** Why windows cannot be computed, if so. */
  trouble: string | undefined;
}

export interface AggregatorListener {
  computed(batch: ComputedBatch): void;
  /** Windows of a measurement that are left as they are. */
  expired(rule: Rule, windows: number): void;
  /** Rows that line protocol cannot carry: something else has written them. */
  unusable(rule: Rule, reason: string): void;
  /** The state has changed. */
  changed(): void;
}

/** The way of points to InfluxDB and back. */
export interface AggregatorSource extends QuerySource {
  readonly marks: Marks;
  /** See PointQueue; undefined while the queue is not open. */
  left(bucket: string): Reach | undefined;
  /** Points that wait to be written. */
  waiting(bucket: string): number;
  accept(bucket: string, line: string, stored: StoredCallback): void;
}

export interface AggregatorOptions {
  /** Id of the node. */
  node: string;
  source: AggregatorSource;
  /** Milliseconds from the end of a window until it is computed. */
  grace: number;
  listener: AggregatorListener;
  /** ms since 1970 */
  now?: () => number;
  /** Milliseconds between two looks at what is due. Default 1000. */
  interval?: number;
}

const INTERVAL = 1000;
/** A rule that takes longer lets others go on, and looks anew: a back-fill must not keep a window that has just ended waiting. */
const ROUND = 1000;
/** Raw rows to read with one query, about. */
const ROWS = 100_000;
const WINDOWS = 1000;
/** Results that wait for a bucket before no more are made for it. */
const MOST_WAITING = 50_000;
/** Milliseconds of work before others have their turn. */
const TURN = 8;

/** What is known of a rule beside its marks. */
interface Progress {
  /** Raw rows of a window, lately. */
  rows: number | undefined;
  readonly backoff: Backoff;
  notBefore: number;
  trouble: string | undefined;
}

interface Counts {
  series: number;
  points: number;
}

/** Windows that are read together. */
interface Range {
  from: number;
  to: number;
  starts: ReadonlySet<number>;
}

/** Computes the windows of a node's rules when they are due, for as long as the node is there. */
export class Aggregator {
  readonly #options: AggregatorOptions;
  readonly #now: () => number;
  readonly #wakeUp = new WakeUp();
  readonly #abort = new AbortController();
  readonly #share: Share;
  readonly #progress = new Map<string, Progress>();
  readonly #ended: Promise<void>;
  #rules: readonly Rule[] = [];
  #rounds = 0;
  #computed = 0;
  #expired = 0;
  #unusable = 0;

  constructor(options: AggregatorOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#share = new Share(this.#now);
    options.source.marks.enter(options.node);
    this.#ended = this.#run();
  }

  /** What is to be aggregated from now on. */
  setRules(rules: readonly Rule[]): void {
    this.#rules = rules;
    this.#options.source.marks.setRules(this.#options.node, rules);
  }

  state(): AggregationState {
    const { grace } = this.#options;
    const time = { now: this.#now(), grace };
    let [waiting, open] = [0, 0];
    let trouble: string | undefined;
    for (const { marks, rule } of this.#work()) {
      for (const { start } of marks.windows.values()) {
        if (hasEnded(start, rule.every, time)) waiting++;
        else open++;
      }
      trouble ??= this.#progressOf(rule).trouble;
    }
    return { waiting, open, computed: this.#computed, expired: this.#expired, unusable: this.#unusable, trouble };
  }

  /**
   * Marks all windows in a time range, as far back as raw points are kept.
   *
   * @param from - ms since 1970
   * @param to - not included
   * @returns the number of marked windows
   * @throws PackError `store-unavailable`
   */
  async recompute(from: number, to: number): Promise<number> {
    let marked = 0;
    for (const { rule, marks } of this.#work()) {
      const { every, retention } = rule;
      const now = this.#now();
      const first = Math.max(Math.floor(from / every), Math.ceil(oldestWhole({ now, retention }) / every)) * every;
      const starts: number[] = [];
      for (let start = first; start < Math.min(to, now); start += every) starts.push(start);
      await this.#options.source.marks.add(marks, starts);
      marked += starts.length;
    }
    this.#wakeUp.ring();
    this.#options.listener.changed();
    return marked;
  }

  /**
   * Ends what is under way.
   *
   * @param forGood - the node will not come back: nothing is marked for it any more. Else marked windows stay marked.
   */
  async close(forGood: boolean): Promise<void> {
    if (forGood) this.#options.source.marks.leave(this.#options.node);
    this.#abort.abort(new Error('closed'));
    this.#wakeUp.ring();
    await this.#ended;
  }

  async #run(): Promise<void> {
    let more = false;
    while (!this.#isClosed()) {
      if (!more) await this.#wakeUp.wait(this.#options.interval ?? INTERVAL);
      more = !this.#isClosed() && this.#options.source.marks.ready && (await this.#round());
    }
  }

  #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  /** @returns whether windows are left that can be computed at once */
  async #round(): Promise<boolean> {
    let more = false;
    const work = [...this.#work()];
    // Each has its turn to be the first: while there is much else to do, only the first gets anything done.
    const first = this.#rounds++ % Math.max(1, work.length);
    for (const { rule, marks } of [...work.slice(first), ...work.slice(0, first)]) {
      const progress = this.#progressOf(rule);
      if (this.#isClosed() || progress.notBefore > this.#now()) continue;
      try {
        more = (await this.#roundOf(rule, marks, progress, this.#now() + ROUND)) || more;
        progress.backoff.reset();
        progress.trouble = undefined;
      } catch (error) {
        if (this.#isClosed()) return false;
        progress.trouble = reasonOf(error);
        progress.notBefore = this.#now() + progress.backoff.next();
      }
      this.#options.listener.changed();
    }
    return more;
  }

  async #roundOf(rule: Rule, marks: RuleMarks, progress: Progress, until: number): Promise<boolean> {
    const { source, grace, listener } = this.#options;
    const left = source.left(rule.bucket);
    if (left === undefined) return false;
    const { due, expired } = dueWindows(marks, { now: this.#now(), grace, retention: rule.retention, left });
    if (expired.length > 0) {
      await source.marks.finish(marks, source.marks.take(expired));
      this.#expired += expired.length;
      listener.expired(rule, expired.length);
    }
    // Of a rule that is not known yet, one window tells how much there is to read.
    const { rows } = progress;
    const most = rows === undefined ? 1 : Math.min(WINDOWS, Math.max(1, Math.floor(ROWS / Math.max(1, rows))));
    const groups = groupsOf(due, rule.every, most);
    // The newest is what somebody looks at; of the others the oldest has the least time left.
    for (const group of [...groups.slice(-1), ...groups.slice(0, -1)]) {
      const began = this.#now();
      if (began >= until || (rows === undefined && progress.rows !== undefined)) return true;
      if (this.#isClosed() || source.waiting(rule.into) > MOST_WAITING) return false;
      if (!this.#share.allows({ arrived: source.marks.arrived, waiting: source.waiting(rule.bucket) })) return false;
      // That of all, as the newest is computed first and would never have waited long.
      const waited = began - due.reduce((least, { firstAt }) => Math.min(least, firstAt), began);
      await this.#compute(rule, marks, group, progress);
      this.#share.took(began, waited);
    }
    return false;
  }

  async #compute(rule: Rule, marks: RuleMarks, group: readonly Mark[], progress: Progress): Promise<void> {
    const { source, listener } = this.#options;
    const left = source.left(rule.bucket);
    // Points may have come since the group was put together, or the marks been read anew.
    const current = group.filter(
      (mark) => marks.windows.get(mark.start) === mark && left !== undefined && isWritten(mark, left),
    );
    const [first, last] = [current[0], current.at(-1)];
    if (first === undefined || last === undefined) return;
    const started = performance.now();
    const taken = source.marks.take(current);
    const batch = { from: first.start, to: last.start + rule.every, windows: current.length };
    let counts: Counts;
    try {
      counts = await this.#store(
        rule,
        { ...batch, starts: new Set(current.map(({ start }) => start)) },
        seriesOf(taken),
      );
    } catch (error) {
      source.marks.giveBack(taken);
      throw error;
    }
    await source.marks.finish(marks, taken);
    this.#computed += batch.windows;
    progress.rows = Math.max(counts.points / batch.windows, (progress.rows ?? 0) / 2);
    const { measurement, bucket, into, every } = rule;
    const milliseconds = Math.round(performance.now() - started);
    listener.computed({ measurement, bucket, into, every, ...batch, ...counts, milliseconds });
    listener.changed();
  }

  /** Reads the raw points of windows, computes, and hands the results to the queue. Resolves when they are stored. */
  async #store(rule: Rule, { from, to, starts }: Range, series: SeriesSet): Promise<Counts> {
    const { source, listener } = this.#options;
    const results = new Results((line, stored) => source.accept(rule.into, line, stored));
    const rows = source.query(rule.bucket, statementOf(rule, from, to, series), this.#abort.signal);
    const counts: Counts = { series: 0, points: 0 };
    let turn = performance.now();
    for await (const window of windowsOf(rows, rule.every)) {
      if (performance.now() - turn > TURN) {
        await setImmediate();
        turn = performance.now();
      }
      this.#abort.signal.throwIfAborted();
      counts.points += window.points;
      // A query that took long may have begun when all points were kept, and ended when they were not.
      if (!starts.has(window.start) || window.start < this.#now() - rule.retention) continue;
      let line: string | undefined;
      try {
        line = resultLine(rule, window);
      } catch (error) {
        if (!(error instanceof PackError)) throw error;
        this.#unusable++;
        listener.unusable(rule, error.message);
      }
      if (line === undefined) continue;
      counts.series++;
      await results.add(line);
    }
    await results.stored();
    return counts;
  }

  *#work(): Generator<{ rule: Rule; marks: RuleMarks }, void, undefined> {
    for (const rule of this.#rules) {
      const marks = this.#options.source.marks.of(this.#options.node).get(rule.id);
      if (marks !== undefined) yield { rule, marks };
    }
  }

  #progressOf({ id }: Rule): Progress {
    let progress = this.#progress.get(id);
    if (progress === undefined) {
      progress = { rows: undefined, backoff: new Backoff(RETRY), notBefore: 0, trouble: undefined };
      this.#progress.set(id, progress);
    }
    return progress;
  }
}
