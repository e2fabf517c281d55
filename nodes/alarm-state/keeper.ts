import { Alarms, type AlarmsOptions } from '../lib/alarm/alarms';
import { PackError, reasonOf } from '../lib/errors';
import { Store, type DamageReport } from '../lib/store/store';

/** What is done with the alarms, or why it cannot be done. Must not throw. */
export type Use = (alarms: Alarms | undefined, problem: PackError | undefined) => void;

export interface KeeperOptions extends Omit<AlarmsOptions, 'store'> {
  /** Folder of the store. */
  directory: string;
  /** The alarms can be used, or cannot, for this reason. */
  changed: (problem: PackError | undefined) => void;
  damaged: (report: DamageReport) => void;
}

/** Milliseconds between attempts to open a store that could not be opened. */
const REOPEN_INTERVAL = 5000;

/** Opens the store of the alarms, again and again if need be. What comes before it is open waits; while it cannot be, it fails. */
export class AlarmKeeper {
  readonly #options: KeeperOptions;
  #waiting: Use[] = [];
  #store: Store | undefined;
  #alarms: Alarms | undefined;
  #problem: PackError | undefined;
  #opening: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Undefined until they have been read from the store. */
  get alarms(): Alarms | undefined {
    return this.#alarms;
  }

  /** Why nothing can be stored, if so. */
  get problem(): string | undefined {
    return (this.#problem ?? this.#store?.fault)?.message;
  }

  /** Opens the alarms, if that has not been done: changes that were owed are announced. Else what was held is. */
  resume(): void {
    if (this.#opening === undefined) this.open();
    else this.#alarms?.resume();
  }

  open(): void {
    this.#opening = this.#open();
  }

  /** Calls back once, in the order of the calls. */
  use(use: Use): void {
    if (this.#alarms ?? this.#problem) use(this.#alarms, this.#problem);
    else this.#waiting.push(use);
  }

  /** Resolves when all that was decided is stored and delivered. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#opening;
    await this.#alarms?.close();
    this.#stopListening?.();
    await this.#store?.close();
  }

  async #open(): Promise<void> {
    const { directory, changed, damaged, ...options } = this.#options;
    try {
      this.#store = await Store.open(directory);
      this.#stopListening = this.#store.listen({ damaged, opened: () => changed(undefined) });
      this.#alarms = await Alarms.open({ ...options, store: this.#store });
      this.#problem = undefined;
    } catch (error) {
      this.#stopListening?.();
      await this.#store?.close();
      this.#store = undefined;
      const problem = error instanceof PackError ? error : new PackError('store-unavailable', reasonOf(error));
      this.#problem = problem;
      if (!this.#closed) this.#timer = setTimeout(() => this.open(), REOPEN_INTERVAL);
    }
    changed(this.#problem);
    for (const use of this.#waiting.splice(0)) use(this.#alarms, this.#problem);
  }
}
