/** With so many points to write, or so many a second coming in, the process has enough to do, */
const BUSY_WAITING = 5_000;
const BUSY_RATE = 1_000;
/** and windows are computed in one part of so many of the time, */
const PART = 16;
/** or of so many when points have waited for it for this long: falling behind for ever would be worse. */
const LARGE_PART = 3;
const PATIENCE = 600_000;
/** Milliseconds over which the rate is measured. */
const SAMPLE = 500;

/** What the process has to do beside. */
export interface Load {
  /** Points that have come in so far. */
  arrived: number;
  /** Points that wait to be written. */
  waiting: number;
}

/** How much of the time computing may take: all of it while there is little to do otherwise. */
export class Share {
  readonly #now: () => number;
  #restUntil = 0;
  #sampledAt = -Infinity;
  #arrived = 0;
  #rate = 0;

  /** @param now - milliseconds of a clock that nobody sets */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns milliseconds until the next piece may be computed; 0: now */
  rest({ arrived, waiting }: Load): number {
    const now = this.#now();
    if (now - this.#sampledAt >= SAMPLE) {
      this.#rate = ((arrived - this.#arrived) * 1000) / (now - this.#sampledAt);
      this.#arrived = arrived;
      this.#sampledAt = now;
    }
    const isBusy = waiting > BUSY_WAITING || this.#rate > BUSY_RATE;
    return isBusy ? Math.max(0, this.#restUntil - now) : 0;
  }

  /**
   * A piece has been computed.
   *
   * @param milliseconds - that it took
   * @param waited - milliseconds that its points had waited
   */
  took(milliseconds: number, waited: number): void {
    this.#restUntil = this.#now() + milliseconds * ((waited > PATIENCE ? LARGE_PART : PART) - 1);
  }
}
