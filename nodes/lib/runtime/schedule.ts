import { Cron } from 'croner';
import { PackError, reasonOf } from '../errors';
import { parseDuration } from '../registry/durations';

/** Something that is done again and again. */
export interface Schedule {
  /** When it is done next; undefined when never again. */
  next(): Date | undefined;
  close(): void;
}

/** Milliseconds after which the clock is looked at again: it may be put right, and timers cannot wait for weeks. */
const LONGEST_SLEEP = 60_000;

/**
 * Calls `run` whenever it is time, until closed. `text` is a period such as `30m`, `6h` or `1d`, or a cron expression of five
 * or six parts. Periods count from 1970 in UTC, so that a restart does not shift them: `6h` is at 0, 6, 12 and 18 o'clock UTC,
 * `1w` on Thursdays. Cron is in the local time of the machine. An empty text is never.
 *
 * @param run - must not throw
 * @throws PackError `not-configured` for what is neither
 */
export function schedule(text: string, run: () => void): Schedule {
  const trimmed = text.trim();
  if (trimmed === '') return { next: () => undefined, close: () => undefined };
  const period = parseDuration(trimmed);
  return period === undefined ? cron(trimmed, run) : new Period(period, run);
}

function cron(text: string, run: () => void): Schedule {
  let job: Cron;
  try {
    job = new Cron(text, { mode: '5-or-6-parts' }, run);
  } catch (error) {
    const reason = reasonOf(error).replace(/^CronPattern: /, '');
    throw new PackError(
      'not-configured',
      `"${text}" is neither a period such as 1d or 6h nor a cron expression such as 0 3 * * *: ${reason}`,
      { cause: error },
    );
  }
  if (job.nextRun() === null) {
    job.stop();
    throw new PackError('not-configured', `the time that "${text}" describes never comes`);
  }
  return { next: () => job.nextRun() ?? undefined, close: () => job.stop() };
}

class Period implements Schedule {
  readonly #period: number;
  readonly #run: () => void;
  #at: number;
  #timer: NodeJS.Timeout;

  constructor(period: number, run: () => void) {
    this.#period = period;
    this.#run = run;
    this.#at = this.#after(Date.now());
    this.#timer = this.#sleep();
  }

  next(): Date {
    return new Date(this.#at);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #after(now: number): number {
    return (Math.floor(now / this.#period) + 1) * this.#period;
  }

  #sleep(): NodeJS.Timeout {
    return setTimeout(() => this.#look(), Math.min(LONGEST_SLEEP, Math.max(0, this.#at - Date.now())));
  }

  #look(): void {
    const now = Date.now();
    const isTime = now >= this.#at;
    // The clock may have been put back.
    if (isTime || this.#at - now > this.#period) this.#at = this.#after(now);
    this.#timer = this.#sleep();
    if (isTime) this.#run();
  }
}
