import type { Said, Source } from '../lib/alarm/alarm';
import { NoStore } from '../lib/alarm/alarm-store';
import { Alarms, type AlarmsOptions } from '../lib/alarm/alarms';
import { PackError, reasonOf } from '../lib/errors';
import { Store, type AsideReport, type DamageReport } from '../lib/store/store';

/**
 * What is done with the alarms. With a problem, the store cannot be opened, and they know only what has come since the
 * start. Must not throw.
 */
export type Use = (alarms: Alarms, problem: PackError | undefined) => void;

export interface KeeperOptions extends Omit<AlarmsOptions, 'store'> {
  /** Folder of the store. */
  directory: string;
  /** The alarms can be used, or cannot, for this reason. */
  changed: (problem: PackError | undefined) => void;
  damaged: (report: DamageReport) => void;
  putAside: (report: AsideReport) => void;
}

/** Milliseconds between attempts to open a store that could not be opened. */
const REOPEN_INTERVAL = 5000;

/** So many messages wait until the store is open. */
const MOST_WAITING = 20_000;

/** So many messages are taken in later. Each of them has been reported as not stored. */
const MOST_LATER = 10_000;

/**
 * Opens the store of the alarms, again and again if need be. What comes before it is open waits. While it cannot be opened,
 * there are alarms that nothing is known of but what comes now: so what is raised then is told then.
 */
export class AlarmKeeper {
  readonly #options: KeeperOptions;
  #waiting: Use[] = [];
  #store: Store | undefined;
  #alarms: Alarms | undefined;
  #problem: PackError | undefined;
  /** Instead of the alarms, while there is a problem. */
  #standIn: Alarms | undefined;
  #later: { source: Source; said: Said }[] = [];
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
    else (this.#alarms ?? this.#standIn)?.resume();
  }

  registryChanged(): void {
    (this.#alarms ?? this.#standIn)?.registryChanged();
  }

  open(): void {
    this.#opening = this.#open();
  }

  /**
   * Calls back once, in the order of the calls.
   *
   * @throws PackError `store-unavailable` when too many wait for the store already
   */
  use(use: Use): void {
    const alarms = this.#alarms ?? this.#standIn;
    if (alarms) use(alarms, this.#problem);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(use);
    else throw new PackError('store-unavailable', 'The store is being opened, and too many messages wait for it');
  }

  /** Takes a message in when the store can be opened; what it changes then may have been told before. */
  later(source: Source, said: Said): void {
    if (this.#later.length >= MOST_LATER) this.#later.shift();
    this.#later.push({ source, said });
  }

  /** Resolves when all that was decided is stored and delivered. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#opening;
    await (this.#alarms ?? this.#standIn)?.close();
    this.#stopListening?.();
    await this.#store?.close();
  }

  async #open(): Promise<void> {
    const { directory, changed, damaged, putAside, ...options } = this.#options;
    try {
      this.#store = await Store.open(directory);
      this.#stopListening = this.#store.listen({ damaged, putAside, opened: () => changed(undefined) });
      const alarms = await Alarms.open({ ...options, store: this.#store, isInDoubt: this.#problem !== undefined });
      await this.#takeOver(alarms);
    } catch (error) {
      this.#stopListening?.();
      await this.#store?.close();
      this.#store = undefined;
      const problem = error instanceof PackError ? error : new PackError('store-unavailable', reasonOf(error));
      this.#standIn ??= await Alarms.open({
        ...options,
        store: new NoStore(problem),
        announce: (announcement, reason) => options.announce({ ...announcement, again: true }, reason),
      });
      this.#problem = problem;
      if (!this.#closed) this.#timer = setTimeout(() => this.open(), REOPEN_INTERVAL);
    }
    changed(this.#problem);
    for (const use of this.#waiting.splice(0)) this.use(use);
  }

  async #takeOver(alarms: Alarms): Promise<void> {
    await this.#standIn?.close();
    this.#standIn = undefined;
    this.#problem = undefined;
    this.#alarms = alarms;
    for (const { source, said } of this.#later.splice(0)) {
      alarms.report(source, said, ({ changes, source: place = source }, error) => {
        for (const change of changes) this.#options.announce({ change, source: place, again: true }, error);
      });
    }
  }
}
