/** Where the time comes from, so that tests can make it. */
export interface Clock {
  /** Milliseconds since 1970. May jump, when somebody sets the clock. */
  wall(): number;
  /** Milliseconds since some moment. Never jumps: what durations are measured with. */
  steady(): number;
  /** Calls back once after so many milliseconds; returns the function that calls it off. */
  after(milliseconds: number, call: () => void): () => void;
}

/** Timers hold 31 bits. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const systemClock: Clock = {
  wall: () => Date.now(),
  steady: () => performance.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, Math.min(Math.max(Math.ceil(milliseconds), 0), LONGEST_TIMER));
    return () => clearTimeout(timer);
  },
};

/** Less than that is how a clock is corrected in passing. */
const LEAST_JUMP = 1000;

/** Notices when somebody sets the clock. */
export class ClockSetting {
  readonly #clock: Clock;
  #offset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.wall() - clock.steady();
  }

  /** By how many milliseconds it has been set since the last look: forward, or back (negative), or not (0). */
  jump(): number {
    const offset = this.#clock.wall() - this.#clock.steady();
    const jump = offset - this.#offset;
    this.#offset = offset;
    return Math.abs(jump) < LEAST_JUMP ? 0 : jump;
  }
}
