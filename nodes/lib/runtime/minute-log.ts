import { shorten } from '../shorten';

const MINUTE = 60_000;

/** Things that are told apart at a time. Some keys hold what a server answers: beyond so many, all others count as one. */
const MOST_KEYS = 100;
const OTHERS = '(others)';
/** Characters of one line of the log, and of a key. */
const LONGEST_LINE = 2000;
const LONGEST_KEY = 500;

interface Repeated {
  text: string;
  times: number;
  timer: NodeJS.Timeout;
}

/**
 * Says something at once, and while it goes on only once a minute, with how often it happened: nothing fails silently,
 * nothing floods the log.
 */
export class MinuteLog {
  readonly #write: (text: string) => void;
  readonly #repeated = new Map<string, Repeated>();

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** @param about - what counts as the same thing, such as a code */
  say(about: string, said: string): void {
    const text = shorten(said, LONGEST_LINE);
    const short = shorten(about, LONGEST_KEY);
    const key = this.#repeated.has(short) || this.#repeated.size < MOST_KEYS ? short : OTHERS;
    const known = this.#repeated.get(key);
    if (known) {
      known.text = text;
      known.times += 1;
      return;
    }
    this.#write(text);
    this.#waitAMinute(key);
  }

  /** Says what is still to be said. */
  close(): void {
    for (const key of [...this.#repeated.keys()]) this.#flush(key);
  }

  #waitAMinute(key: string): void {
    const timer = setTimeout(() => {
      if (this.#flush(key)) this.#waitAMinute(key);
    }, MINUTE);
    this.#repeated.set(key, { text: '', times: 0, timer });
  }

  #flush(key: string): boolean {
    const known = this.#repeated.get(key);
    if (!known) return false;
    clearTimeout(known.timer);
    this.#repeated.delete(key);
    if (known.times === 0) return false;
    this.#write(`${known.text} (${known.times} times in the last minute)`);
    return true;
  }
}
