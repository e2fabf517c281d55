import type { Mark, SeriesSet } from './mark';

/** Series of one window that are remembered one by one; with more of them, all are computed. */
const OF_A_WINDOW = 50;
/** The same for all windows together: a long back-fill must not fill the memory. */
const OF_ALL_WINDOWS = 100_000;

/** Remembers of the marked windows which series are to be computed, within bounds. */
export class MarkedSeries {
  #remembered = 0;

  /** For a window that nothing was marked of yet. */
  none(): SeriesSet {
    return this.#remembered < OF_ALL_WINDOWS ? new Set() : undefined;
  }

  add(mark: Mark, series: string): void {
    const { series: known } = mark;
    if (known === undefined || known.has(series)) return;
    if (known.size >= OF_A_WINDOW || this.#remembered >= OF_ALL_WINDOWS) {
      this.addAll(mark);
      return;
    }
    // A copy: a part of a line would keep the whole line in memory.
    known.add(Buffer.from(series).toString());
    this.#remembered++;
  }

  /** All series of the window are to be computed. */
  addAll(mark: Mark): void {
    this.forget(mark);
    mark.series = undefined;
  }

  /** What is remembered of the window does not count any more. */
  forget({ series }: Mark): void {
    this.#remembered -= series?.size ?? 0;
  }

  forgetAll(): void {
    this.#remembered = 0;
  }
}
