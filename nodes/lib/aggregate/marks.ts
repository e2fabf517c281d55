import { PackError } from '../errors';
import type { PassingChunk, QueueCompanion } from '../store/companion';
import { markRange, namesIn, rulesKey, rulesRange, stretchRange, type KeyRange } from '../store/keys';
import type { Reach } from '../store/lanes';
import type { Store, StoreOperation } from '../store/store';
import {
  markOfAll,
  newStretch,
  STRETCH,
  stretchStart,
  type Mark,
  type RuleMarks,
  type SeriesSet,
  type Stretch,
} from './mark';
import { Marker, type MarkOptions } from './marker';
import { MarkedSeries } from './marked-series';
import { decodeRules, RuleBook } from './rule-book';
import type { MarkedRule } from './rules';
import { rangeOf } from './stretch-record';

/** Stretches that are marked by hand in one batch. */
const BATCH = 10_000;
const NOTHING_STORED: Reach = { event: 0, sensor: 0 };
const CLOSED = 'The store has not been read yet';

/** A mark whose window is being computed, and the series that had to be when it was taken. */
export interface TakenMark {
  readonly mark: Mark;
  readonly series: SeriesSet;
}

/** A mark that was found in the store. */
interface FoundMark {
  key: string;
  node: string;
  rule: string;
  start: number;
  value: Buffer;
}

/**
 * The windows that are to be computed: a mark is in the store as soon as a point of the window is, by the same batch, and
 * stays until the window's results are. So a window that got a point is computed after it, whatever happens in between.
 * When the queue drops results, their windows are marked again.
 *
 * The store has only which windows are marked. What a mark waits for and which series it is about is in memory; of marks
 * that are found when the store opens, that is everything: all chunks stored until then, and all series.
 *
 * All nodes that write to the place mark windows, and each node that aggregates there has its own rules. They are in the store
 * too, because points may come before the node has started: they are marked by the rules of last time.
 */
export class Marks implements QueueCompanion {
  readonly #place: string;
  readonly #rules = new RuleBook();
  readonly #series = new MarkedSeries();
  readonly #marker: Marker;
  /** Nodes that are there, and those that have said their rules. */
  readonly #present = new Set<string>();
  readonly #said = new Set<string>();
  /** All nodes that will come have come. */
  #complete = false;
  /** Marks of nodes whose rules could not be read, by node: they are taken up when the node says its rules. */
  readonly #waiting = new Map<string, FoundMark[]>();
  #arrived = 0;
  /** Up to which sequences chunks are stored: as found when the store was opened, and what came since, by bucket. */
  #found: (bucket: string) => Reach = () => NOTHING_STORED;
  readonly #reach = new Map<string, Reach>();
  #store: Store | undefined;
  #generation = -1;

  /** @param place - whose points are marked */
  constructor(place: string, options: MarkOptions = {}) {
    this.#place = place;
    this.#marker = new Marker(place, this.#series, options);
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
    const rules = new Map<string, { text: string; rules: MarkedRule[] }>();
    for await (const page of store.pages(rulesRange(this.#place))) {
      for (const [key, value] of page) {
        const [node = ''] = namesIn(key);
        const decoded = decodeRules(value);
        if (decoded === undefined) await store.putAsideBody(key, value);
        else rules.set(node, { text: value.toString(), rules: decoded });
      }
    }
    const windows = await readMarks(store, markRange(this.#place));
    const stretches = await readMarks(store, stretchRange(this.#place));
    if (generation !== store.generation) return;
    for (const [node, found] of rules) {
      if (!this.#said.has(node)) this.#setRules(node, found.rules);
    }
    for (const marks of this.#rules.all()) marks.clear();
    this.#series.forgetAll();
    const operations: StoreOperation[] = [];
    const steady = this.#marker.steady();
    const reaches = new Map<string, Reach>();
    const reachOf = (bucket: string): Reach => {
      const reach = reaches.get(bucket) ?? stored(bucket);
      reaches.set(bucket, reach);
      return reach;
    };
    this.#waiting.clear();
    for (const mark of windows) {
      const { key, node, rule, start } = mark;
      const marks = this.of(node).get(rule);
      if (marks === undefined && this.#mayComeBack(node)) this.#await(mark);
      else if (marks === undefined) operations.push({ type: 'del', key });
      else marks.add(markOfAll(start, reachOf(marks.rule.bucket), steady));
    }
    for (const stretch of stretches) {
      const { key, node, rule, start, value } = stretch;
      const marks = this.of(node).get(rule);
      if (marks === undefined && this.#mayComeBack(node)) this.#await(stretch);
      else if (marks === undefined) operations.push({ type: 'del', key });
      else marks.stretches.set(start, { ...newStretch(start, steady), ...rangeOf(value) });
    }
    for (const node of this.#said)
      if (rules.get(node)?.text !== this.#rules.text(node)) operations.push(this.#rulesOperation(node));
    this.#found = stored;
    this.#reach.clear();
    this.#store = store;
    this.#generation = generation;
    await this.#write(operations);
    if (this.#complete) this.forgetAbsent();
  }

  /** A node is there. Until it says its rules, those of last time are good. */
  enter(node: string): void {
    this.#present.add(node);
  }

  /** A node is not there now; it may come back. Meanwhile its windows are marked. */
  exit(node: string): void {
    this.#present.delete(node);
    this.#said.delete(node);
  }

  /** What a node aggregates from now on. Marks of rules that it has no more are forgotten. */
  setRules(node: string, rules: readonly MarkedRule[]): void {
    this.#said.add(node);
    const before = this.of(node);
    const text = this.#rules.text(node);
    this.#setRules(node, rules);
    const operations: StoreOperation[] = text === this.#rules.text(node) ? [] : [this.#rulesOperation(node)];
    for (const [id, marks] of before) {
      if (this.of(node).has(id)) continue;
      operations.push(...this.#marker.removeWindows(marks, [...marks.windows.values()]));
      operations.push(...this.#marker.removeStretches(marks, [...marks.stretches.keys()]));
    }
    operations.push(...this.#takeUp(node));
    // While the store cannot be written to, this is made up for when it is read again.
    this.#write(operations).catch(() => undefined);
  }

  /**
   * All nodes have started. Those that have rules from last time and are not there do not come back: they are deleted or
   * switched off, or have another server now. What is marked for them is marked for whoever has the same rule; else it is
   * forgotten.
   */
  forgetAbsent(): void {
    this.#complete = true;
    // Else they are read from the store first.
    if (!this.ready) return;
    const absent = this.#rules.nodes().filter((node) => !this.#present.has(node));
    const heirs = new Map<string, RuleMarks>();
    for (const node of this.#present) for (const [id, marks] of this.of(node)) heirs.set(id, marks);
    const operations: StoreOperation[] = [];
    for (const [id, marks] of absent.flatMap((node) => [...this.of(node)])) {
      const heir = heirs.get(id);
      if (heir !== undefined) operations.push(...this.#marker.inherit(heir, marks, this.stored(heir.rule.bucket)));
    }
    this.#write(operations).catch(() => undefined);
    for (const node of absent) this.setRules(node, []);
    for (const node of this.#waiting.keys()) if (!this.#present.has(node)) this.setRules(node, []);
  }

  /** The marked windows of a node by the id of the rule. */
  of(node: string): ReadonlyMap<string, RuleMarks> {
    return this.#rules.of(node);
  }

  needsDropped(bucket: string): boolean {
    return this.#rules.targets(bucket) !== undefined;
  }

  collect(arriving: readonly PassingChunk[], dropped: readonly PassingChunk[]): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (const { head, lines } of arriving) {
      this.#reach.set(head.bucket, { ...this.stored(head.bucket), [head.priority]: head.sequence + 1 });
      const rules = this.#rules.sources(head.bucket);
      // Results never mark a window themselves.
      if (rules === undefined || this.#rules.has(head.origin)) continue;
      this.#arrived += lines.length;
      this.#marker.touch(rules, lines, head, operations);
    }
    for (const { head, lines } of dropped) {
      const rules = this.#rules.targets(head.bucket);
      if (rules !== undefined) this.#marker.touch(rules, lines, undefined, operations);
    }
    return operations;
  }

  /**
   * Marks the windows of a rule by hand, for all series.
   *
   * @param from - start of the first window, in milliseconds
   * @param to - start of the window after the last
   * @throws PackError `store-unavailable`
   */
  async add(marks: RuleMarks, from: number, to: number): Promise<void> {
    const { every, bucket } = marks.rule;
    const length = every * STRETCH;
    const firstWhole = stretchStart(from + length - every, every);
    const lastWhole = stretchStart(to, every);
    if (firstWhole >= lastWhole) {
      await this.#write(this.#marker.addWindows(marks, from, to, this.stored(bucket)));
      return;
    }
    await this.#write(this.#marker.addWindows(marks, from, firstWhole, this.stored(bucket)));
    const operations: StoreOperation[] = [];
    for (let start = firstWhole; start < lastWhole; start += length) {
      this.#marker.addToStretch(marks, start, start + length, operations);
      if (operations.length === BATCH) await this.#write(operations.splice(0));
    }
    await this.#write(operations);
    await this.#write(this.#marker.addWindows(marks, lastWhole, to, this.stored(bucket)));
  }

  /**
   * Marks the windows of a stretch one by one, in its place.
   *
   * @param oldest - earlier windows stay in the stretch: ms since 1970
   * @throws PackError `store-unavailable`
   */
  async unfold(marks: RuleMarks, stretch: Stretch, oldest: number): Promise<void> {
    const { every, bucket } = marks.rule;
    const first = Math.ceil(oldest / every) * every;
    await this.#write(this.#marker.unfold(marks, stretch, first, this.stored(bucket)));
  }

  /**
   * Marks windows by their stretches, in their place.
   *
   * @param notBefore - the stretches are left alone until then: ms of the steady clock
   * @throws PackError `store-unavailable`
   */
  async fold(marks: RuleMarks, windows: readonly Mark[], notBefore: number): Promise<void> {
    const held = windows.filter((mark) => !mark.taken && this.#holds(marks, mark));
    await this.#write(this.#marker.fold(marks, held, notBefore));
  }

  /**
   * Windows and stretches are not marked any more, without having been computed.
   *
   * @throws PackError `store-unavailable`
   */
  async giveUp(marks: RuleMarks, windows: readonly Mark[], stretches: readonly Stretch[]): Promise<void> {
    const operations = this.#marker.removeWindows(marks, windows);
    const starts = stretches.map(({ start }) => start);
    operations.push(...this.#marker.removeStretches(marks, starts));
    await this.#write(operations);
  }

  /** The windows are being computed from now on. Each of them is to be finished or given back. */
  take(marks: readonly Mark[]): TakenMark[] {
    return marks.map((mark) => {
      const { series } = mark;
      this.#series.forget(mark);
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
    for (const { mark } of taken) mark.taken = false;
    // Some may be forgotten with their rule meanwhile, or read anew from the store.
    const done = taken.filter(({ mark }) => !mark.touched && this.#holds(marks, mark)).map(({ mark }) => mark);
    await this.#write(this.#marker.removeWindows(marks, done));
  }

  /** The windows were not computed. */
  giveBack(marks: RuleMarks, taken: readonly TakenMark[]): void {
    for (const { mark, series } of taken) {
      mark.taken = false;
      if (!this.#holds(marks, mark)) continue;
      mark.touched = true;
      if (series === undefined) this.#series.addAll(mark);
      else for (const one of series) this.#series.add(mark, one);
    }
  }

  /** Whether a node that has no rules may still say some. */
  #mayComeBack(node: string): boolean {
    return !this.#rules.has(node) && !this.#said.has(node) && (!this.#complete || this.#present.has(node));
  }

  #await(mark: FoundMark): void {
    const waiting = this.#waiting.get(mark.node) ?? [];
    waiting.push(mark);
    this.#waiting.set(mark.node, waiting);
  }

  /** The node has said its rules: its marks count by them, and those of other rules go. */
  #takeUp(node: string): StoreOperation[] {
    const operations: StoreOperation[] = [];
    const steady = this.#marker.steady();
    for (const { key, rule, start, value } of this.#waiting.get(node) ?? []) {
      const marks = this.of(node).get(rule);
      if (marks === undefined) operations.push({ type: 'del', key });
      else if (value.length === 0) marks.add(markOfAll(start, this.stored(marks.rule.bucket), steady));
      else marks.stretches.set(start, { ...newStretch(start, steady), ...rangeOf(value) });
    }
    this.#waiting.delete(node);
    return operations;
  }

  #holds(marks: RuleMarks, mark: Mark): boolean {
    return this.of(marks.node).get(marks.rule.id) === marks && marks.windows.get(mark.start) === mark;
  }

  #setRules(node: string, rules: readonly MarkedRule[]): void {
    this.#rules.set(node, rules);
    this.#marker.shareAmong(this.#rules.all().length);
  }

  /** Of a bucket: every chunk that was ever stored has a lower sequence. */
  stored(bucket: string): Reach {
    return this.#reach.get(bucket) ?? this.#found(bucket);
  }

  #rulesOperation(node: string): StoreOperation {
    const key = rulesKey(this.#place, node);
    const text = this.#rules.text(node);
    return text === undefined ? { type: 'del', key } : { type: 'put', key, value: Buffer.from(text) };
  }

  async #write(operations: StoreOperation[]): Promise<void> {
    if (operations.length === 0) return;
    // Else what is in memory is about to be replaced by what is in the store.
    if (this.#store === undefined || !this.ready)
      throw this.#store?.fault ?? new PackError('store-unavailable', CLOSED);
    await this.#store.batch(operations, { sync: true });
  }
}

async function readMarks(store: Store, range: KeyRange): Promise<FoundMark[]> {
  const found: FoundMark[] = [];
  for await (const page of store.pages(range)) {
    for (const [key, value] of page) {
      const [node = '', rule = '', start = ''] = namesIn(key);
      found.push({ key, node, rule, start: Number(start), value });
    }
  }
  return found;
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
