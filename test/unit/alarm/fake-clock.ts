import type { Clock } from '../../../nodes/lib/alarm/clock';

interface Timer {
  at: number;
  call: () => void;
}

/** A clock that a test moves. */
export class FakeClock implements Clock {
  #now: number;
  #started: number;
  readonly #timers = new Set<Timer>();

  constructor(start: number) {
    this.#now = start;
    this.#started = start;
  }

  wall(): number {
    return this.#now;
  }

  steady(): number {
    return this.#now - this.#started;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.#now + Math.max(milliseconds, 0), call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves on to a moment and calls back whatever is due on the way, in order. Returns whether anything was. */
  moveTo(moment: number): boolean {
    let called = false;
    for (;;) {
      const next = [...this.#timers].sort((one, other) => one.at - other.at)[0];
      if (next === undefined || next.at > moment) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
      called = true;
    }
    this.#now = Math.max(this.#now, moment);
    return called;
  }

  /** Somebody sets the clock, forward or back. */
  set(by: number): void {
    this.#now += by;
    this.#started += by;
    for (const timer of this.#timers) timer.at += by;
  }

  /** How many timers are running. */
  timers(): number {
    return this.#timers.size;
  }

  /** The process has ended: its timers with it. */
  dropTimers(): void {
    this.#timers.clear();
  }
}
