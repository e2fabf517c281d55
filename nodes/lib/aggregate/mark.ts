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
  /** When the first and the last of the points came that are not computed: ms since 1970. */
  firstAt: number;
  lastAt: number;
  /** Points have come since the mark was taken, or it is not taken. */
  touched: boolean;
  /** Somebody is computing the window. */
  taken: boolean;
}

/** The marked windows of one rule of one node. */
export class RuleMarks {
  readonly node: string;
  rule: MarkedRule;
  /** By start. */
  readonly windows = new Map<number, Mark>();
  /** The window that was marked last: most points are for the same. */
  latest: Mark | undefined;

  constructor(node: string, rule: MarkedRule) {
    this.node = node;
    this.rule = rule;
  }
}

/** A mark for whatever series there are, as of one that was found in the store. */
export function markOfAll(start: number, stored: Reach, now: number): Mark {
  return { start, before: { ...stored }, series: undefined, firstAt: now, lastAt: now, touched: true, taken: false };
}

/** Whether all chunks that a mark waits for have left the queue. */
export function isWritten(mark: Mark, left: Reach): boolean {
  return left.event >= mark.before.event && left.sensor >= mark.before.sensor;
}
