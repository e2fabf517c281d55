import { unwatchFile, watchFile, type StatsListener } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** Milliseconds between looks. Looking beats waiting for events: it works on every file system, network and container mounts included. */
const INTERVAL = 1000;

/** A file that was changed less long ago may be half written; so many looks are enough for the slowest copy. */
const QUIET = 250;
const LOOKS = 40;

/** Bytes of a file; more is none of those that are watched here. */
const MOST_BYTES = 33_554_432;

/**
 * Hands over a file's text now and whenever it has changed, until closed.
 */
export class WatchedFile {
  /** Resolves once the file has been read, or could not be, for the first time. */
  readonly first: Promise<void>;
  readonly #path: string;
  readonly #listener: StatsListener;
  readonly #changed: (text: string) => void | Promise<void>;
  readonly #unreadable: (error: Error) => void;
  readonly #closing = new AbortController();
  #reading: Promise<void>;

  constructor(path: string, changed: (text: string) => void | Promise<void>, unreadable: (error: Error) => void) {
    this.#path = path;
    this.#changed = changed;
    this.#unreadable = unreadable;
    this.#listener = (now, before) => {
      const same = now.mtimeMs === before.mtimeMs && now.size === before.size && now.ino === before.ino;
      if (!same) this.#reading = this.#reading.then(() => this.#read());
    };
    watchFile(path, { interval: INTERVAL, persistent: false }, this.#listener);
    this.first = this.#reading = this.#read();
  }

  close(): void {
    this.#closing.abort();
    unwatchFile(this.#path, this.#listener);
  }

  async #read(): Promise<void> {
    let text: string;
    try {
      text = await this.#textOnceQuiet();
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#unreadable(error as Error);
      return;
    }
    if (!this.#closing.signal.aborted) await this.#changed(text);
  }

  /** The text when nobody is writing it: half a device-key file would give a revoked device its key back. */
  async #textOnceQuiet(): Promise<string> {
    for (let look = 1; ; look += 1) {
      const before = await stat(this.#path);
      if (!before.isFile()) throw new Error('it is no file');
      if (before.size > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
      const age = Date.now() - before.mtimeMs;
      if (age < 0 || age >= QUIET || look >= LOOKS) {
        const text = await readFile(this.#path, 'utf8');
        const after = await stat(this.#path);
        if ((after.mtimeMs === before.mtimeMs && after.size === before.size) || look >= LOOKS) return text;
      }
      await wait(QUIET, undefined, { signal: this.#closing.signal });
    }
  }
}
