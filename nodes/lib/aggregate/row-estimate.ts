import type { SeriesSet } from './mark';

const WINDOWS = 1000;

/** How many windows of a rule one query may read, so that an answer is neither tiny nor huge. */
export class RowEstimate {
  /** Raw rows of a window lately: of all series together, and of one. */
  #ofAll: number | undefined;
  #ofOne: number | undefined;
  /** Lower after a query that failed: it may have asked too much. */
  #most = WINDOWS;
  readonly #rows: number;

  /** @param rows - raw rows to read with one query, about */
  constructor(rows: number) {
    this.#rows = rows;
  }

  /** Of what is not known yet, one window tells how much there is to read. */
  most(series: SeriesSet): number {
    const rows = series === undefined ? this.#ofAll : (this.#ofOne ?? NaN) * series.size;
    if (rows === undefined || Number.isNaN(rows)) return 1;
    return Math.min(this.#most, Math.max(1, Math.floor(this.#rows / Math.max(1, rows))));
  }

  /**
   * A query has been answered.
   *
   * @returns whether nothing was known before of what it has read: other windows may go together now
   */
  learn(series: SeriesSet, windows: number, rows: number): boolean {
    this.#most = Math.min(WINDOWS, this.#most * 2);
    const ofWindow = rows / windows;
    if (series === undefined) {
      const isNew = this.#ofAll === undefined;
      this.#ofAll = Math.max(ofWindow, (this.#ofAll ?? 0) / 2);
      return isNew;
    }
    const isNew = this.#ofOne === undefined;
    this.#ofOne = Math.max(ofWindow / series.size, (this.#ofOne ?? 0) / 2);
    return isNew;
  }

  failed(windows: number): void {
    this.#most = Math.max(1, Math.floor(windows / 2));
  }
}
