import type { Clock } from './life';

/** What a burst of calls can be ahead, and more: beyond it, the system's clock was set back. */
const MOST_AHEAD = 1_000_000_000n;

/**
 * The system's clock, whose nanoseconds never repeat nor go back while the process lives; unless that clock is set back
 * by more than a second: then they follow it, as devices take nothing that is signed in the future.
 */
export class SystemClock implements Clock {
  #last = 0n;

  now(): number {
    return Date.now();
  }

  next(): string {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#last = now > this.#last || this.#last - now > MOST_AHEAD ? now : this.#last + 1n;
    return String(this.#last);
  }
}

/** Of everything that is signed or logged in this process. */
export const systemClock = new SystemClock();
