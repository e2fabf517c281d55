import type { Priority } from '../store/keys';
import type { Reach } from '../store/lanes';
import type { MarkedRule } from './rules';

/** Which series of a window are to be computed, as line protocol names them: measurement and tags. Undefined: all. */
export type SeriesSet = Set<string> | undefined;

/** A window that is to be computed, because points have come into it. */
export interface Mark {
  /** ms since 1970 */
  readonly start: number;
  /** Chunks with lower sequences hold points of the window: they must have left the queue first. */
  readonly before: Record<Priority, number>;
  series: SeriesSet;
  /** When the first and the last of the points came that are not computed: ms of the steady clock. */
  firstAt: number;
  lastAt: number;
  /** Points have come since the mark was taken, or it is not taken. */
  touched: boolean;
  /** Somebody is computing the window. */
  taken: boolean;
  /** Since when, without a break, its first points may have gone: ms of the steady clock. */
  oldSince: number | undefined;
}

/**
 * Up to {@link STRETCH} windows that are to be computed one day, marked together: memory holds few windows, however many
 * are marked. Not each of them got a point; to compute one that did not changes nothing.
 */
export interface Stretch {
  /** A multiple of its length, ms since 1970. */
  readonly start: number;
  /** Start of the first and end of the last window that is marked by it. */
  from: number;
  to: number;
  /** As of a mark. */
  readonly firstAt: number;
  lastAt: number;
  oldSince: number | undefined;
  /** It is left alone until then: ms of the steady clock. */
  notBefore: number;
}

/** Windows in a stretch. */
export const STRETCH = 1000;

/** What the clock says, and how long after a window's end it is computed. Milliseconds. */
export interface Time {
  /** since 1970 */
  now: number;
  grace: number;
}

export interface WindowCount {
  /** Have ended. */
  waiting: number;
  /** Have not. */
  open: number;
}

/** The marked windows of one rule of one node. */
export class RuleMarks {
  readonly node: string;
  rule: MarkedRule;
  /** By start. */
  readonly stretches = new Map<number, Stretch>();
  /** The window that was marked last: most points are for the same. */
  latest: Mark | undefined;
  /** Results that the queue has dropped. */
  dropped = 0;
  readonly #windows = new Map<number, Mark>();
  /** Those that had not ended when they were counted last. */
  readonly #open = new Set<Mark>();

  constructor(node: string, rule: MarkedRule) {
    this.node = node;
    this.rule = rule;
  }

  /** By start. */
  get windows(): ReadonlyMap<number, Mark> {
    return this.#windows;
  }

  add(mark: Mark): void {
    this.#windows.set(mark.start, mark);
    this.#open.add(mark);
  }

  delete(mark: Mark): void {
    this.#windows.delete(mark.start);
    this.#open.delete(mark);
    if (this.latest === mark) this.latest = undefined;
  }

  clear(): void {
    this.#windows.clear();
    this.#open.clear();
    this.stretches.clear();
    this.latest = undefined;
  }

  /** How many windows are marked. Cheap: each is looked at until it has ended. */
  count(time: Time): WindowCount {
    const { every } = this.rule;
    for (const mark of this.#open) if (hasEnded(mark.start, every, time)) this.#open.delete(mark);
    let waiting = this.#windows.size - this.#open.size;
    for (const { from, to } of this.stretches.values()) {
      const end = Math.min(to, time.now - time.grace);
      waiting += Math.max(0, Math.floor((end - from) / every));
    }
    return { waiting, open: this.#open.size };
  }
}

/** Whether a window has ended and its grace is over. */
export function hasEnded(start: number, every: number, { now, grace }: Time): boolean {
  return start + every + grace <= now;
}

/** Where the stretch starts that a window is in. */
export function stretchStart(start: number, every: number): number {
  const length = every * STRETCH;
  return Math.floor(start / length) * length;
}

/** A mark for whatever series there are, as of one that was found in the store. */
export function markOfAll(start: number, stored: Reach, now: number): Mark {
  const mark = { start, before: { ...stored }, series: undefined, firstAt: now, lastAt: now };
  return { ...mark, touched: true, taken: false, oldSince: undefined };
}

/** A stretch that nothing is marked by yet. */
export function newStretch(start: number, now: number): Stretch {
  const times = { firstAt: now, lastAt: now, oldSince: undefined, notBefore: -Infinity };
  return { start, from: Infinity, to: -Infinity, ...times };
}

/** Whether all chunks that a mark waits for have left the queue. */
export function isWritten(mark: Mark, left: Reach): boolean {
  return left.event >= mark.before.event && left.sensor >= mark.before.sensor;
}
