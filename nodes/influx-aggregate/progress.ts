import type { AggregationState, ComputedBatch } from '../lib/aggregate/aggregator';

/** How far a back-fill is. */
export interface BackfillProgress {
  /** Windows still to be computed. */
  waiting: number;
  /** Windows and raw points since it began. */
  computed: number;
  points: number;
  milliseconds: number;
  windowsPerSecond: number;
}

/** So many windows behind is a back-fill, not the end of a period. */
const BACKLOG = 10;
const INTERVAL = 1000;

/** Says once a second how far a back-fill is, and when it is done. */
export class Backfill {
  readonly #now: () => number;
  #began: number | undefined;
  #saidAt = -Infinity;
  #computed = 0;
  #points = 0;

  /** @param now - milliseconds of a clock that nobody sets */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @returns what to say after a batch, if anything */
  after({ windows, points, milliseconds }: ComputedBatch, { waiting }: AggregationState): BackfillProgress | undefined {
    const now = this.#now();
    if (this.#began === undefined) {
      if (waiting < BACKLOG) return undefined;
      this.#began = now - milliseconds;
      this.#computed = 0;
      this.#points = 0;
    }
    this.#computed += windows;
    this.#points += points;
    if (waiting > 0 && now - this.#saidAt < INTERVAL) return undefined;
    this.#saidAt = now;
    const since = Math.max(1, now - this.#began);
    if (waiting === 0) this.#began = undefined;
    return {
      waiting,
      computed: this.#computed,
      points: this.#points,
      milliseconds: since,
      windowsPerSecond: Math.round((this.#computed * 1000) / since),
    };
  }
}
