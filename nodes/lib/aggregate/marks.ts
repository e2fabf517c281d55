import { PackError } from '../errors';
import type { ArrivingChunk, QueueCompanion } from '../store/companion';
import { markKey, markRange, namesIn, rulesKey, rulesRange } from '../store/keys';
import type { ChunkHead } from '../store/lane';
import type { Reach } from '../store/lanes';
import type { Store, StoreOperation } from '../store/store';
import { markOfAll, RuleMarks, type Mark, type SeriesSet } from './mark';
import type { MarkedRule } from './rules';
import { escapedMeasurement, isOf, millisecondsOf, seriesKey } from './scan';

/** Series of one window that are remembered one by one; with more of them, all are computed. */
const SERIES_OF_A_WINDOW = 50;
/** The same for all windows together: a long back-fill must not fill the memory. */
const SERIES_OF_ALL_WINDOWS = 100_000;
/** Marks that are made by hand in one batch. */
const BATCH = 1000;
const NOTHING = Buffer.alloc(0);
const NOTHING_STORED: Reach = { event: 0, sensor: 0 };
const CLOSED = 'The store has not been read yet';

/** A mark whose window is being computed, and the series that had to be when it was taken. */
export interface TakenMark {
  readonly mark: Mark;
  readonly series: SeriesSet;
}

/**
 * The windows that are to be computed: a mark is in the store as soon as a point of the window is, by the same batch, and
 * stays until the window's results are. So a window that got a point is computed after it, whatever happens in between.
 *
 * The store has only which windows are marked. What a mark waits for and which series it is about is in memory; of marks
 * that are found when the store opens, that is everything: all chunks stored until then, and all series.
 *
 * Each node that aggregates has its own rules. They are in the store too, because points may come before the node has
 * started: they are marked by the rules of last time.
 */
export class Marks implements QueueCompanion {
  readonly #server: string;
  readonly #now: () => number;
  readonly #nodes = new Map<string, Map<string, RuleMarks>>();
  /** Nodes that are there, and those that have said their rules. */
  readonly #present = new Set<string>();
  readonly #said = new Set<string>();
  /** By bucket, and by measurement as lines have it. */
  readonly #rules = new Map<string, Map<string, RuleMarks[]>>();
  #seriesMarked = 0;
  #arrived = 0;
  /** Up to which sequences chunks are stored: as found when the store was opened, and what came since, by bucket. */
  #found: (bucket: string) => Reach = () => NOTHING_STORED;
  readonly #reach = new Map<string, Reach>();
  #store: Store | undefined;
  #generation = -1;

  /** @param now - ms since 1970 */
  constructor(server: string, now: () => number = Date.now) {
    this.#server = server;
    this.#now = now;
  }

  /** Whether marks can be changed: the store is open, and they have been read from it. */
  get ready(): boolean {
    return this.#store?.fault === undefined && this.#store?.generation === this.#generation;
  }

  /** Points that have come into buckets with rules. */
  get arrived(): number {
    return this.#arrived;
  }

  async load(store: Store, stored: (bucket: string) => Reach): Promise<void> {
    const { generation } = store;
    this.#generation = -1;
    const rules = new Map<string, string>();
    for await (const page of store.pages(rulesRange(this.#server))) {
      for (const [key, value] of page) {
        const [node = ''] = namesIn(key);
        rules.set(node, value.toString());
      }
    }
    const starts: [key: string, node: string, rule: string, start: number][] = [];
    for await (const page of store.pages(markRange(this.#server))) {
      for (const [key] of page) {
        const [node = '', rule = '', start = ''] = namesIn(key);
        starts.push([key, node, rule, Number(start)]);
      }
    }
    if (generation !== store.generation) return;
    for (const [node, text] of rules) if (!this.#said.has(node)) this.#adopt(node, JSON.parse(text) as MarkedRule[]);
    for (const marks of this.#all()) {
      marks.windows.clear();
      marks.latest = undefined;
    }
    this.#seriesMarked = 0;
    const operations: StoreOperation[] = [];
    const now = this.#now();
    for (const [key, node, rule, start] of starts) {
      const marks = this.#nodes.get(node)?.get(rule);
      if (marks === undefined) operations.push({ type: 'del', key });
      else marks.windows.set(start, markOfAll(start, stored(marks.rule.bucket), now));
    }
    for (const node of this.#said)
      if (rules.get(node) !== this.#rulesText(node)) operations.push(this.#rulesOperation(node));
    this.#found = stored;
    this.#reach.clear();
    this.#store = store;
    this.#generation = generation;
    await this.#write(operations);
  }

  /** A node is there. Until it says its rules, those of last time are good. */
  enter(node: string): void {
    this.#present.add(node);
  }

  /** A node has gone for good, or been switched off. */
  leave(node: string): void {
    this.#present.delete(node);
    this.setRules(node, []);
  }

  /** What a node aggregates from now on. Marks of rules that it has no more are forgotten. */
  setRules(node: string, rules: readonly MarkedRule[]): void {
    this.#said.add(node);
    const before = this.#nodes.get(node);
    const text = this.#rulesText(node);
    this.#adopt(node, rules);
    const operations: StoreOperation[] = text === this.#rulesText(node) ? [] : [this.#rulesOperation(node)];
    for (const [id, { windows }] of before ?? []) {
      if (this.#nodes.get(node)?.has(id)) continue;
      for (const [start, mark] of windows) {
        this.#forgetSeries(mark);
        operations.push({ type: 'del', key: markKey(this.#server, node, id, start) });
      }
    }
    // While the store cannot be written to, this is made up for when it is read again.
    this.#write(operations).catch(() => undefined);
  }

  /** Nodes that have rules from last time and did not come back: their flow was changed while Node-RED was not running. */
  forgetAbsent(): void {
    for (const node of [...this.#nodes.keys()]) if (!this.#present.has(node)) this.setRules(node, []);
  }

  /** The marked windows of a node by the id of the rule. */
  of(node: string): ReadonlyMap<string, RuleMarks> {
    return this.#nodes.get(node) ?? new Map<string, RuleMarks>();
  }

  collect(chunks: readonly ArrivingChunk[]): StoreOperation[] {
    const operations: StoreOperation[] = [];
    const now = this.#now();
    for (const { head, lines } of chunks) {
      const rules = this.#rules.get(head.bucket);
      this.#reach.set(head.bucket, { ...this.#stored(head.bucket), [head.priority]: head.sequence + 1 });
      // Results never mark a window themselves.
      if (rules === undefined || this.#nodes.has(head.origin)) continue;
      this.#arrived += lines.length;
      for (const [measurement, ofMeasurement] of rules) {
        for (const line of lines) {
          if (!isOf(line, measurement)) continue;
          const time = millisecondsOf(line);
          for (const marks of ofMeasurement) this.#touch(marks, line, time, head, now, operations);
        }
      }
    }
    return operations;
  }

  /**
   * Marks the windows of a rule by hand, for all series.
   *
   * @param starts - of the windows, in milliseconds
   * @throws PackError `store-unavailable`
   */
  async add(marks: RuleMarks, starts: readonly number[]): Promise<void> {
    const { node, rule, windows } = marks;
    for (let at = 0; at < starts.length; at += BATCH) {
      const operations: StoreOperation[] = [];
      const now = this.#now();
      for (const start of starts.slice(at, at + BATCH)) {
        const stored = this.#stored(rule.bucket);
        const mark = windows.get(start) ?? markOfAll(start, stored, now);
        this.#forgetSeries(mark);
        mark.series = undefined;
        mark.touched = true;
        Object.assign(mark.before, stored);
        if (windows.has(start)) continue;
        windows.set(start, mark);
        operations.push({ type: 'put', key: markKey(this.#server, node, rule.id, start), value: NOTHING });
      }
      await this.#write(operations);
    }
  }

  /** The windows are being computed from now on. Each of them is to be finished or given back. */
  take(marks: readonly Mark[]): TakenMark[] {
    return marks.map((mark) => {
      const { series } = mark;
      this.#forgetSeries(mark);
      mark.series = new Set();
      mark.touched = false;
      mark.taken = true;
      return { mark, series };
    });
  }

  /**
   * The results of the windows are in the store: they are not marked any more, but for those where points have come since.
   *
   * @throws PackError `store-unavailable`
   */
  async finish(marks: RuleMarks, taken: readonly TakenMark[]): Promise<void> {
    const operations: StoreOperation[] = [];
    for (const { mark } of taken) {
      mark.taken = false;
      // Forgotten with its rule meanwhile, or read anew from the store.
      if (mark.touched || !this.#holds(marks, mark)) continue;
      this.#forgetSeries(mark);
      marks.windows.delete(mark.start);
      if (marks.latest === mark) marks.latest = undefined;
      operations.push({ type: 'del', key: markKey(this.#server, marks.node, marks.rule.id, mark.start) });
    }
    await this.#write(operations);
  }

  /** The windows were not computed. */
  giveBack(taken: readonly TakenMark[]): void {
    for (const { mark, series } of taken) {
      mark.taken = false;
      mark.touched = true;
      if (series === undefined) {
        this.#forgetSeries(mark);
        mark.series = undefined;
      } else for (const one of series) this.#addSeries(mark, one);
    }
  }

  #holds(marks: RuleMarks, mark: Mark): boolean {
    return this.#nodes.get(marks.node)?.get(marks.rule.id) === marks && marks.windows.get(mark.start) === mark;
  }

  /** A point has come: its window is marked. Called for every point and rule. */
  #touch(
    marks: RuleMarks,
    line: string,
    time: number,
    { priority, sequence }: ChunkHead,
    now: number,
    operations: StoreOperation[],
  ): void {
    const { latest, rule } = marks;
    const isLatest = latest !== undefined && time >= latest.start && time < latest.start + rule.every;
    const mark = isLatest ? latest : this.#markOf(marks, time, now, operations);
    marks.latest = mark;
    mark.before[priority] = sequence + 1;
    if (!mark.touched) mark.firstAt = now;
    mark.lastAt = now;
    mark.touched = true;
    if (mark.series !== undefined) this.#addSeries(mark, seriesKey(line));
  }

  #markOf({ node, rule, windows }: RuleMarks, time: number, now: number, operations: StoreOperation[]): Mark {
    const start = Math.floor(time / rule.every) * rule.every;
    let mark = windows.get(start);
    if (mark === undefined) {
      const series = this.#seriesMarked < SERIES_OF_ALL_WINDOWS ? new Set<string>() : undefined;
      mark = { ...markOfAll(start, NOTHING_STORED, now), series };
      windows.set(start, mark);
      operations.push({ type: 'put', key: markKey(this.#server, node, rule.id, start), value: NOTHING });
    }
    return mark;
  }

  #addSeries(mark: Mark, one: string): void {
    const { series } = mark;
    if (series === undefined || series.has(one)) return;
    if (series.size >= SERIES_OF_A_WINDOW) {
      this.#forgetSeries(mark);
      mark.series = undefined;
      return;
    }
    series.add(one);
    this.#seriesMarked++;
  }

  #forgetSeries({ series }: Mark): void {
    this.#seriesMarked -= series?.size ?? 0;
  }

  #all(): RuleMarks[] {
    return Array.from(this.#nodes.values(), (rules) => [...rules.values()]).flat();
  }

  #stored(bucket: string): Reach {
    return this.#reach.get(bucket) ?? this.#found(bucket);
  }

  /** Takes the rules of a node over; marks of rules that it had before stay. */
  #adopt(node: string, rules: readonly MarkedRule[]): void {
    const before = this.#nodes.get(node);
    const adopted = new Map<string, RuleMarks>();
    for (const rule of rules) {
      const marks = before?.get(rule.id) ?? new RuleMarks(node, rule);
      marks.rule = rule;
      adopted.set(rule.id, marks);
    }
    if (rules.length === 0) this.#nodes.delete(node);
    else this.#nodes.set(node, adopted);
    this.#rules.clear();
    for (const marks of this.#all()) {
      const { bucket, measurement } = marks.rule;
      const ofBucket = this.#rules.get(bucket) ?? new Map<string, RuleMarks[]>();
      this.#rules.set(bucket, ofBucket);
      const name = escapedMeasurement(measurement);
      ofBucket.set(name, [...(ofBucket.get(name) ?? []), marks]);
    }
  }

  #rulesOperation(node: string): StoreOperation {
    const key = rulesKey(this.#server, node);
    const text = this.#rulesText(node);
    return text === undefined ? { type: 'del', key } : { type: 'put', key, value: Buffer.from(text) };
  }

  #rulesText(node: string): string | undefined {
    const rules = this.#nodes.get(node);
    if (rules === undefined) return undefined;
    const marked = Array.from(rules.values(), ({ rule: { id, bucket, measurement, every } }) => ({
      id,
      bucket,
      measurement,
      every,
    }));
    return JSON.stringify(marked);
  }

  async #write(operations: StoreOperation[]): Promise<void> {
    if (operations.length === 0) return;
    // Else what is in memory is about to be replaced by what is in the store.
    if (this.#store === undefined || !this.ready)
      throw this.#store?.fault ?? new PackError('store-unavailable', CLOSED);
    await this.#store.batch(operations, { sync: true });
  }
}

/** The series that are to be computed for some of the windows at least. */
export function seriesOf(taken: readonly TakenMark[]): SeriesSet {
  const all = new Set<string>();
  for (const { series } of taken) {
    if (series === undefined) return undefined;
    for (const one of series) all.add(one);
  }
  return all;
}
