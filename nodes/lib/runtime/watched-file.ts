import { unwatchFile, watchFile, type StatsListener } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Milliseconds between looks. Looking beats waiting for events: it works on every file system, network and container mounts included. */
const INTERVAL = 1000;

/**
 * Hands over a file's text now and whenever it has changed, until closed.
 */
export class WatchedFile {
  readonly #path: string;
  readonly #listener: StatsListener;
  readonly #changed: (text: string) => void;
  readonly #unreadable: (error: Error) => void;
  #closed = false;
  #reading: Promise<void>;

  constructor(path: string, changed: (text: string) => void, unreadable: (error: Error) => void) {
    this.#path = path;
    this.#changed = changed;
    this.#unreadable = unreadable;
    this.#listener = (now, before) => {
      const same = now.mtimeMs === before.mtimeMs && now.size === before.size && now.ino === before.ino;
      if (!same) this.#reading = this.#reading.then(() => this.#read());
    };
    watchFile(path, { interval: INTERVAL, persistent: false }, this.#listener);
    this.#reading = this.#read();
  }

  close(): void {
    this.#closed = true;
    unwatchFile(this.#path, this.#listener);
  }

  async #read(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (!this.#closed) this.#unreadable(error as Error);
      return;
    }
    if (!this.#closed) this.#changed(text);
  }
}
