import type { Clock } from './life';

/** The system's clock, whose nanoseconds never repeat nor go back while the process lives. */
export class SystemClock implements Clock {
  #last = 0n;

  now(): number {
    return Date.now();
  }

  next(): string {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    return String(this.#last);
  }
}
