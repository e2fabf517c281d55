const MINUTE = 60_000;

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

  /** @param key - what counts as the same thing, such as a code */
  say(key: string, text: string): void {
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
