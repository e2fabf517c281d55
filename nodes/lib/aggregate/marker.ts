import { markKey, stretchKey } from '../store/keys';
import type { ChunkHead } from '../store/lane';
import type { Reach } from '../store/lanes';
import type { StoreOperation } from '../store/store';
import { markOfAll, stretchStart, type Mark, type RuleMarks } from './mark';
import type { MarkedSeries } from './marked-series';
import { isOf, millisecondsOf, seriesKey } from './scan';

const WINDOWS = 10_000;
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
  readonly #server: string;
  readonly steady: () => number;
  readonly #now: () => number;
  readonly #windows: number;
  readonly #series: MarkedSeries;

  /** @param server - id of the `influx-server` */
  constructor(server: string, series: MarkedSeries, options: MarkOptions) {
    this.#server = server;
    this.#series = series;
    this.#now = options.now ?? Date.now;
    this.steady = options.steady ?? (() => performance.now());
    this.#windows = options.windows ?? WINDOWS;
  }

  /**
   * Marks the windows of the lines that are of a measurement, by some of its rules.
   *
   * @param measurement - as lines have it
   * @param chunk - which holds the lines and must leave the queue before the windows are computed
   * @param operations - what is to be stored is added here
   */
  touch(
    rules: readonly RuleMarks[],
    measurement: string,
    lines: readonly string[],
    chunk: ChunkHead | undefined,
    operations: StoreOperation[],
  ): void {
    const steady = this.steady();
    for (const line of lines) {
      if (!isOf(line, measurement)) continue;
      const time = millisecondsOf(line);
      for (const marks of rules) this.#touch(marks, line, time, chunk, steady, operations);
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
      operations.push({ type: 'put', key: markKey(this.#server, node, rule.id, start), value: NOTHING });
    }
    return operations;
  }

  /** Marks windows that are in one stretch, from the start of the first to the end of the last. */
  addToStretch({ node, rule, stretches }: RuleMarks, from: number, to: number, operations: StoreOperation[]): void {
    const start = stretchStart(from, rule.every);
    const steady = this.steady();
    const stretch = stretches.get(start) ?? { start, from: Infinity, to: -Infinity, firstAt: steady, lastAt: steady };
    stretch.lastAt = steady;
    if (from >= stretch.from && to <= stretch.to) return;
    stretch.from = Math.min(stretch.from, from);
    stretch.to = Math.max(stretch.to, to);
    stretches.set(start, stretch);
    const key = stretchKey(this.#server, node, rule.id, start);
    operations.push({ type: 'put', key, value: Buffer.from(`${stretch.from} ${stretch.to}`) });
  }

  /** The windows are not marked any more. */
  removeWindows(marks: RuleMarks, windows: Iterable<Mark>): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const mark of windows) {
      this.#series.forget(mark);
      marks.delete(mark);
      operations.push({ type: 'del', key: markKey(this.#server, marks.node, marks.rule.id, mark.start) });
    }
    return operations;
  }

  removeStretches({ node, rule, stretches }: RuleMarks, starts: Iterable<number>): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const start of starts) {
      stretches.delete(start);
      operations.push({ type: 'del', key: stretchKey(this.#server, node, rule.id, start) });
    }
    return operations;
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
    if (windows.size >= this.#windows && Math.abs(this.#now() - start) > NEAR) {
      this.addToStretch(marks, start, start + rule.every, operations);
      return undefined;
    }
    const mark = { ...markOfAll(start, NOTHING_STORED, steady), series: this.#series.none() };
    marks.add(mark);
    operations.push({ type: 'put', key: markKey(this.#server, node, rule.id, start), value: NOTHING });
    return mark;
  }
}
