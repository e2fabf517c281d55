import { markKey, stretchKey } from '../store/keys';
import type { ChunkHead } from '../store/lane';
import type { Reach } from '../store/lanes';
import type { StoreOperation } from '../store/store';
import { markOfAll, newStretch, stretchStart, type Mark, type RuleMarks, type Stretch } from './mark';
import type { MarkedSeries } from './marked-series';
import type { RulesByMeasurement } from './rule-book';
import { rangeText } from './stretch-record';
import { isOf, measurementOf, millisecondsOf, seriesKey } from './scan';

const WINDOWS = 10_000;
/** The same of all rules together, shared among them; but some for each. */
const ALL_WINDOWS = 200_000;
const LEAST_WINDOWS = 100;
/** Windows that are no further from now than this are marked one by one in any case: they must not wait for others. */
const NEAR = 3_600_000;
const NOTHING = Buffer.alloc(0);
const NOTHING_STORED: Reach = { event: 0, sensor: 0 };

export interface MarkOptions {
  /** ms since 1970 */
  now?: () => number;
  /** Milliseconds of a clock that nobody sets. */
  steady?: () => number;
  /** Windows of a rule that are marked one by one; of more, but for the hour that is now, stretches are. Default 10,000. */
  windows?: number;
}

/** Marks windows in memory, and says what is to be stored for that. */
export class Marker {
  readonly #place: string;
  readonly steady: () => number;
  readonly #now: () => number;
  readonly #most: number;
  #windows: number;
  readonly #series: MarkedSeries;

  /** @param place - whose points are marked */
  constructor(place: string, series: MarkedSeries, options: MarkOptions) {
    this.#place = place;
    this.#series = series;
    this.#now = options.now ?? Date.now;
    this.steady = options.steady ?? (() => performance.now());
    this.#most = options.windows ?? WINDOWS;
    this.#windows = this.#most;
  }

  /** @param rules - how many share the memory */
  shareAmong(rules: number): void {
    this.#windows = Math.min(this.#most, Math.max(LEAST_WINDOWS, Math.floor(ALL_WINDOWS / Math.max(1, rules))));
  }

  /**
   * Marks the windows of lines.
   *
   * @param chunk - which holds the lines and must leave the queue before the windows are computed; undefined: the lines are
   *   results that are lost
   * @param operations - what is to be stored is added here
   */
  touch(
    rules: RulesByMeasurement,
    lines: readonly string[],
    chunk: ChunkHead | undefined,
    operations: StoreOperation[],
  ): void {
    const steady = this.steady();
    let measurement = '';
    let touched: readonly RuleMarks[] = [];
    for (const line of lines) {
      if (!isOf(line, measurement)) {
        measurement = measurementOf(line);
        touched = rules.get(measurement) ?? [];
      }
      if (touched.length === 0) continue;
      const time = millisecondsOf(line);
      for (const marks of touched) this.#touch(marks, line, time, chunk, steady, operations);
    }
  }

  /**
   * Marks the windows that start from `from` up to, not including, `to`, for all series. They wait for what is stored, but
   * not for late points.
   *
   * @param firstAt - since when they have waited, by the steady clock. Default: now.
   */
  addWindows(marks: RuleMarks, from: number, to: number, stored: Reach, firstAt = this.steady()): StoreOperation[] {
    const { node, rule, windows } = marks;
    const operations: StoreOperation[] = [];
    for (let start = from; start < to; start += rule.every) {
      const known = windows.get(start);
      const mark = known ?? { ...markOfAll(start, stored, firstAt), lastAt: -Infinity };
      this.#series.addAll(mark);
      mark.touched = true;
      Object.assign(mark.before, stored);
      if (known !== undefined) continue;
      marks.add(mark);
      operations.push({ type: 'put', key: markKey(this.#place, node, rule.id, start), value: NOTHING });
    }
    return operations;
  }

  /** Marks windows that are in one stretch, from the start of the first to the end of the last. */
  addToStretch(marks: RuleMarks, from: number, to: number, operations: StoreOperation[]): Stretch {
    const start = stretchStart(from, marks.rule.every);
    const steady = this.steady();
    const stretch = marks.stretches.get(start) ?? newStretch(start, steady);
    stretch.lastAt = steady;
    if (from < stretch.from || to > stretch.to)
      operations.push(this.#resize(marks, stretch, Math.min(stretch.from, from), Math.max(stretch.to, to)));
    return stretch;
  }

  /**
   * Marks the windows of a stretch one by one, in its place.
   *
   * @param first - start of the first of them; earlier ones stay in the stretch
   */
  unfold(marks: RuleMarks, stretch: Stretch, first: number, stored: Reach): StoreOperation[] {
    const { from, to, firstAt } = stretch;
    const operations =
      first > from ? [this.#resize(marks, stretch, from, first)] : this.removeStretches(marks, [stretch.start]);
    operations.push(...this.addWindows(marks, Math.max(from, first), to, stored, firstAt));
    return operations;
  }

  /** Marks windows that follow each other by their stretches, in their place. These are left alone until then. */
  fold(marks: RuleMarks, windows: readonly Mark[], notBefore: number): StoreOperation[] {
    const { every } = marks.rule;
    const operations = this.removeWindows(marks, windows);
    const ranges = new Map<number, { from: number; to: number }>();
    for (const { start } of windows) {
      const at = stretchStart(start, every);
      const { from, to } = ranges.get(at) ?? { from: start, to: start };
      ranges.set(at, { from: Math.min(from, start), to: Math.max(to, start + every) });
    }
    for (const { from, to } of ranges.values()) this.addToStretch(marks, from, to, operations).notBefore = notBefore;
    return operations;
  }

  /** Marks what is marked for a rule for the same rule of another node too. */
  inherit(heir: RuleMarks, marks: RuleMarks, stored: Reach): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const { start, firstAt } of marks.windows.values())
      operations.push(...this.addWindows(heir, start, start + heir.rule.every, stored, firstAt));
    for (const { from, to } of marks.stretches.values()) this.addToStretch(heir, from, to, operations);
    return operations;
  }

  /** The windows are not marked any more. */
  removeWindows(marks: RuleMarks, windows: Iterable<Mark>): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const mark of windows) {
      this.#series.forget(mark);
      marks.delete(mark);
      operations.push({ type: 'del', key: markKey(this.#place, marks.node, marks.rule.id, mark.start) });
    }
    return operations;
  }

  removeStretches({ node, rule, stretches }: RuleMarks, starts: Iterable<number>): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const start of starts) {
      stretches.delete(start);
      operations.push({ type: 'del', key: stretchKey(this.#place, node, rule.id, start) });
    }
    return operations;
  }

  #resize({ node, rule, stretches }: RuleMarks, stretch: Stretch, from: number, to: number): StoreOperation {
    Object.assign(stretch, { from, to });
    stretches.set(stretch.start, stretch);
    const key = stretchKey(this.#place, node, rule.id, stretch.start);
    return { type: 'put', key, value: rangeText({ from, to }) };
  }

  /** A window is marked for the series of a line. Called for every point and rule. */
  #touch(
    marks: RuleMarks,
    line: string,
    time: number,
    chunk: ChunkHead | undefined,
    steady: number,
    operations: StoreOperation[],
  ): void {
    const { latest, rule } = marks;
    const isLatest = latest !== undefined && time >= latest.start && time < latest.start + rule.every;
    const mark = isLatest ? latest : this.#markOf(marks, time, steady, operations);
    if (chunk === undefined) marks.dropped++;
    if (mark === undefined) return;
    marks.latest = mark;
    if (chunk !== undefined) mark.before[chunk.priority] = chunk.sequence + 1;
    if (!mark.touched) mark.firstAt = steady;
    mark.lastAt = steady;
    mark.touched = true;
    if (mark.series !== undefined) this.#series.add(mark, seriesKey(line));
  }

  /** The mark of the window that a time is in; undefined when its stretch is marked instead. */
  #markOf(marks: RuleMarks, time: number, steady: number, operations: StoreOperation[]): Mark | undefined {
    const { node, rule, windows } = marks;
    const start = Math.floor(time / rule.every) * rule.every;
    const known = windows.get(start);
    if (known !== undefined) return known;
    if (windows.size >= this.#windows && !this.#isNear(start, start + rule.every)) {
      this.addToStretch(marks, start, start + rule.every, operations);
      return undefined;
    }
    const mark = { ...markOfAll(start, NOTHING_STORED, steady), series: this.#series.none() };
    marks.add(mark);
    operations.push({ type: 'put', key: markKey(this.#place, node, rule.id, start), value: NOTHING });
    return mark;
  }

  #isNear(start: number, end: number): boolean {
    const now = this.#now();
    return end >= now - NEAR && start <= now + NEAR;
  }
}
