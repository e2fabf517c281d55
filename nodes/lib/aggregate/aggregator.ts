import { WakeUp } from '../influx/wake-up';
import type { Reach } from '../store/lanes';
import { computeWindows, type Computed, type ComputeSource, type Counts } from './compute';
import { dueStretches, dueWindows, groupsOf, oldestMarked, oldestWhole } from './due';
import { isWritten, STRETCH, type Mark, type RuleMarks } from './mark';
import { seriesOf, type Marks } from './marks';
import { RuleProgress } from './rule-progress';
import type { MarkedRule, Rule } from './rules';
import { Share } from './share';

/** Windows that were computed together, and whose results are in the queue. */
export interface ComputedBatch extends Counts {
  measurement: string;
  bucket: string;
  into: string;
  /** Length of a window in milliseconds. */
  every: number;
  /** Start of the first window and end of the last: ms since 1970. */
  from: number;
  to: number;
  windows: number;
  milliseconds: number;
}

/** How far it is. */
export interface AggregationState {
  /** Windows that have ended and are still to be computed. */
  waiting: number;
  /** The start of the oldest of them: ms since 1970. */
  oldest: number | undefined;
  /** Marked windows that have not ended. */
  open: number;
  /** Windows computed since the node started. */
  computed: number;
  /** Windows left as they are, because part of their raw points may be gone. */
  expired: number;
  /** Rows of results that InfluxDB could not hold. */
  unusable: number;
  /** Results that InfluxDB has refused. */
  refused: number;
  /** Whether it has lately. */
  refuses: boolean;
  /** Rows that stand beside an earlier result, because late points changed it and it cannot be replaced. */
  corrections: number;
  /** Why windows, or some of them, cannot be computed, if so. */
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
export interface AggregatorSource extends ComputeSource {
  readonly marks: Marks;
  /** Results that may wait for a bucket. */
  readonly mostResults: number;
  /** See PointQueue; undefined while the queue is not open. */
  left(bucket: string): Reach | undefined;
  /** Points that wait to be written. */
  waiting(bucket: string): number;
  /** Why points of a bucket cannot be written now, if so. */
  trouble(bucket: string): string | undefined;
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
  /** Milliseconds of a clock that nobody sets: the one that marks are stamped by. */
  steady?: () => number;
  /** Milliseconds between two looks at what is due. Default 1000. */
  interval?: number;
}

const INTERVAL = 1000;
/** A rule that takes longer lets others go on, and looks anew: a back-fill must not keep a window that has just ended waiting. */
const ROUND = 1000;
/** Raw rows to read with one query, for each result that may wait, about. */
const ROWS = 2;
/** A query that failed counts for no more milliseconds of work than this: it may only have waited. */
const FAILED = 1000;
/** Windows that are tried again one by one; more of them are left alone together, */
const MOST_FAILED = 1000;
/** for so many milliseconds. */
const LEFT_ALONE = 600_000;
/** A refused result is news for so many milliseconds. */
const NEWS = 600_000;

interface Work {
  rule: Rule;
  marks: RuleMarks;
  progress: RuleProgress;
}

/** Computes the windows of a node's rules when they are due, for as long as the node is there. */
export class Aggregator {
  readonly #options: AggregatorOptions;
  readonly #now: () => number;
  readonly #steady: () => number;
  readonly #wakeUp = new WakeUp();
  readonly #abort = new AbortController();
  readonly #share: Share;
  readonly #progress = new Map<string, RuleProgress>();
  readonly #ended: Promise<void>;
  #rules: readonly Rule[] = [];
  #rounds = 0;
  #computed = 0;
  #expired = 0;
  #unusable = 0;
  #refused = 0;
  #refusedAt = -Infinity;
  #corrections = 0;

  constructor(options: AggregatorOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#steady = options.steady ?? (() => performance.now());
    this.#share = new Share(this.#steady);
    options.source.marks.enter(options.node);
    this.#ended = this.#run();
  }

  /** What is to be aggregated from now on. */
  setRules(rules: readonly Rule[]): void {
    this.#rules = rules;
    this.#options.source.marks.setRules(this.#options.node, rules);
  }

  state(): AggregationState {
    const time = { now: this.#now(), grace: this.#options.grace };
    let [waiting, open] = [0, 0];
    let oldest: number | undefined;
    let trouble: string | undefined;
    for (const { marks, progress } of this.#work()) {
      const count = marks.count(time);
      waiting += Math.max(0, count.waiting - progress.old);
      open += count.open;
      if (count.waiting > progress.old && progress.oldest !== undefined)
        oldest = Math.min(progress.oldest, oldest ?? Infinity);
      trouble ??= progress.trouble ?? this.#troubleOf(marks.rule, count.waiting > progress.old);
    }
    const [computed, expired, unusable] = [this.#computed, this.#expired, this.#unusable];
    const refuses = this.#steady() - this.#refusedAt < NEWS;
    const results = { refused: this.#refused, refuses, corrections: this.#corrections };
    return { waiting, oldest, open, computed, expired, unusable, ...results, trouble };
  }

  /** InfluxDB has refused a result. */
  hasRefused(): void {
    this.#refused++;
    this.#refusedAt = this.#steady();
    this.#options.listener.changed();
  }

  /** What keeps results from being written, or the points from it that windows wait for. */
  #troubleOf({ bucket, into }: MarkedRule, isWaiting: boolean): string | undefined {
    const { source } = this.#options;
    const ofResults = source.trouble(into);
    if (ofResults !== undefined) return `${into}: ${ofResults}`;
    const ofPoints = isWaiting ? source.trouble(bucket) : undefined;
    return ofPoints === undefined ? undefined : `${bucket}: ${ofPoints}`;
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
      const end = Math.ceil(Math.min(to, now) / every) * every;
      if (first >= end) continue;
      await this.#options.source.marks.add(marks, first, end);
      marked += (end - first) / every;
    }
    this.#wakeUp.ring();
    this.#options.listener.changed();
    return marked;
  }

  /** Ends what is under way. Marked windows stay marked, for this node or another of the same rules. */
  async close(): Promise<void> {
    const { source, node } = this.#options;
    source.marks.exit(node);
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
    for (const each of [...work.slice(first), ...work.slice(0, first)]) {
      if (this.#isClosed()) return false;
      if (each.progress.rests(this.#steady())) continue;
      more = (await this.#roundOf(each)) || more;
      this.#options.listener.changed();
    }
    return more;
  }

  async #roundOf(work: Work): Promise<boolean> {
    const { rule, marks, progress } = work;
    const { source } = this.#options;
    const before = this.#computed;
    let groups: Mark[][];
    try {
      groups = await this.#groups(work);
    } catch (error) {
      progress.hasFailed([], error, this.#steady());
      return false;
    }
    const oldestPoint = groups.flat().reduce((least, { firstAt }) => Math.min(least, firstAt), this.#steady());
    let began: number | undefined;
    for (const group of groups) {
      await this.#rest(rule);
      const now = this.#steady();
      began ??= now;
      if (now - began >= ROUND) return true;
      if (this.#isClosed() || source.waiting(rule.into) > source.mostResults) return false;
      if (progress.hasLost(marks.dropped, now)) return false;
      let isNew = false;
      let longest = Infinity;
      try {
        isNew = await this.#compute(work, group);
      } catch (error) {
        if (this.#isClosed() || !(await this.#goesOn(work, group, error))) return false;
        longest = FAILED;
      }
      this.#share.took(Math.min(this.#steady() - now, longest), now - oldestPoint);
      if (isNew) return true;
    }
    progress.hasBeen(marks.windows);
    return marks.stretches.size > 0 && this.#computed > before;
  }

  /** Resolves when computing may take its part of the time again. */
  async #rest({ bucket }: Rule): Promise<void> {
    const { source, interval = INTERVAL } = this.#options;
    for (;;) {
      const rest = this.#share.rest({ arrived: source.marks.arrived, waiting: source.waiting(bucket) });
      if (rest === 0 || this.#isClosed()) return;
      await this.#wakeUp.wait(Math.min(rest, interval));
    }
  }

  /** @returns whether other windows can be computed though these could not */
  async #goesOn({ marks, progress }: Work, group: readonly Mark[], error: unknown): Promise<boolean> {
    if (!progress.hasFailed(group, error, this.#steady())) return false;
    if (progress.failed <= MOST_FAILED) return true;
    progress.forget(group);
    try {
      await this.#options.source.marks.fold(marks, group, this.#steady() + LEFT_ALONE);
    } catch (storeError) {
      return progress.hasFailed([], storeError, this.#steady());
    }
    return true;
  }

  /** The windows that can be computed now, as they are to be read, in the order in which they are to be. */
  async #groups({ rule, marks, progress }: Work): Promise<Mark[][]> {
    const { source, grace } = this.#options;
    const left = source.left(rule.bucket);
    if (left === undefined) return [];
    const { overwrites } = source;
    const options = { now: this.#now(), steady: this.#steady(), grace, retention: rule.retention, left, overwrites };
    let windows = dueWindows(marks, options);
    const stretches = dueStretches(marks, options);
    if (windows.expired.length + stretches.expired.length > 0) {
      await source.marks.giveUp(marks, windows.expired, stretches.expired);
      const inStretches = stretches.expired.reduce((sum, { from, to }) => sum + (to - from) / rule.every, 0);
      this.#hasExpired(rule, windows.expired.length + inStretches);
    }
    if (stretches.due !== undefined && windows.whole - progress.failed < STRETCH) {
      await source.marks.unfold(marks, stretches.due, oldestWhole(options));
      windows = dueWindows(marks, options);
    }
    progress.oldest = oldestMarked(marks, options);
    progress.old = windows.old + stretches.old;
    if (!overwrites) {
      const { sensor: arrived = 0 } = source.left(rule.into) ?? {};
      if (!progress.canCompare(arrived, source.marks.stored(rule.into).sensor)) return [];
      windows.due = windows.due.filter(({ start }) => !progress.isQueued(start));
    }
    const parts = progress.part(windows.due, options.steady);
    const groups = groupsOf(parts.due, rule.every, (series) => progress.estimate.most(series));
    return [...progress.order(groups), ...parts.again.map((mark) => [mark])];
  }

  #hasExpired(rule: Rule, windows: number): void {
    this.#expired += windows;
    this.#options.listener.expired(rule, windows);
  }

  /** @returns whether it is known now, and was not before, how much there is to read */
  async #compute({ rule, marks, progress }: Work, group: readonly Mark[]): Promise<boolean> {
    const { source, listener } = this.#options;
    const left = source.left(rule.bucket);
    // Points may have come since the group was put together, or the marks been read anew.
    const current = group.filter(
      (mark) => marks.windows.get(mark.start) === mark && left !== undefined && isWritten(mark, left),
    );
    const [first, last] = [current[0], current.at(-1)];
    if (first === undefined || last === undefined) return false;
    const started = performance.now();
    const taken = source.marks.take(current);
    const series = seriesOf(taken);
    const batch = { from: first.start, to: last.start + rule.every, windows: current.length };
    let computed: Computed;
    try {
      const range = { ...batch, starts: new Set(current.map(({ start }) => start)), series };
      const unusable = (reason: string): void => this.#isUnusable(rule, reason);
      computed = await computeWindows(rule, range, { source, signal: this.#abort.signal, now: this.#now, unusable });
    } catch (error) {
      source.marks.giveBack(marks, taken);
      progress.hasQueuedUnknown();
      throw error;
    }
    const { tooOld, ...counts } = computed;
    if (!source.overwrites && counts.series > 0) progress.hasQueued(current, source.marks.stored(rule.into).sensor);
    this.#corrections += counts.corrections;
    source.marks.giveBack(
      marks,
      taken.filter(({ mark }) => tooOld.has(mark.start)),
    );
    await source.marks.finish(
      marks,
      taken.filter(({ mark }) => !tooOld.has(mark.start)),
    );
    this.#computed += batch.windows - tooOld.size;
    progress.succeeded(current);
    const isNew = progress.estimate.learn(series, batch.windows, counts.points);
    const { measurement, bucket, into, every } = rule;
    const milliseconds = Math.round(performance.now() - started);
    listener.computed({ measurement, bucket, into, every, ...batch, ...counts, milliseconds });
    listener.changed();
    return isNew;
  }

  #isUnusable(rule: Rule, reason: string): void {
    this.#unusable++;
    this.#options.listener.unusable(rule, reason);
  }

  *#work(): Generator<Work, void, undefined> {
    const { source, node } = this.#options;
    for (const rule of this.#rules) {
      const marks = source.marks.of(node).get(rule.id);
      if (marks !== undefined) yield { rule, marks, progress: this.#progressOf(rule) };
    }
  }

  #progressOf({ id }: Rule): RuleProgress {
    const progress = this.#progress.get(id) ?? new RuleProgress(this.#options.source.mostResults * ROWS);
    this.#progress.set(id, progress);
    return progress;
  }
}
