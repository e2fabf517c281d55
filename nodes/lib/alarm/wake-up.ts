import type { Clock } from './clock';

/** Calls when the next of several deadlines has come. */
export class WakeUp {
  readonly #clock: Clock;
  readonly #next: () => number;
  readonly #call: () => void;
  #at = Infinity;
  #endWait: (() => void) | undefined;
  #stopped = false;

  /** @param next - when the next deadline is, by the steady clock; Infinity when there is none */
  constructor(clock: Clock, next: () => number, call: () => void) {
    this.#clock = clock;
    this.#next = next;
    this.#call = call;
  }

  /** Whether it is time: what is due comes before whatever is done now. */
  get isDue(): boolean {
    return !this.#stopped && this.#clock.steady() >= this.#at;
  }

  /** The next deadline is another one than before. */
  set(): void {
    this.#endWait?.();
    this.#endWait = undefined;
    this.#at = this.#next();
    if (this.#at === Infinity || this.#stopped) return;
    this.#endWait = this.#clock.after(this.#at - this.#clock.steady(), () => {
      // It may be early: timers are not exact, and not as long as an interval can be.
      if (this.isDue) this.#call();
      else this.set();
    });
  }

  /** There is a deadline at this moment. */
  by(moment: number): void {
    if (moment < this.#at) this.set();
  }

  stop(): void {
    this.#stopped = true;
    this.#endWait?.();
  }
}
