import { mkdir, realpath } from 'node:fs/promises';
import { PackError } from '../errors';
import { innermost, kindOfFault } from './damage';
import { spaceProblem, trimInfoLog } from './disk-space';
import { laneRange, parseKey, REPAIRED_KEY, type KeyRange } from './keys';
import { decodeLedger } from './ledger';
import { distrustLevel, isBeyondRepair, openLevel, type DamageReport, type Level } from './level';

export type { DamageReport } from './level';

export type StoreOperation = { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string };

/** A key and its value. */
export type StoreEntry = [string, Buffer];

export interface StoreListener {
  /** The store is open again, after {@link Store.fault}. */
  opened?(): void;
  damaged?(report: DamageReport): void;
}

export interface StoreOptions {
  /** Between attempts to open the store again after a failure. Default 1000. */
  retryMilliseconds?: number;
}

interface Group {
  operations: StoreOperation[];
  sync: boolean;
  resolve: () => void;
  reject: (error: PackError) => void;
}

interface SharedStore {
  store: Promise<Store>;
  users: number;
  closing?: Promise<void>;
}

const RETRY = 1000;
/** A repair that failed is not likely to succeed a second later, and it reads the whole store. */
const RETRY_REPAIR = 60_000;
/** The free space is looked at when so much time has passed, or so much been written. */
const SPACE_INTERVAL = 1000;
const SPACE_BYTES = 1024 * 1024;
const TRIM_EVERY = 600;
const READ_AHEAD = 1024 * 1024;

/** The stores of this process by folder: LevelDB allows one handle, so all users share it. */
const shared = new Map<string, SharedStore>();

/**
 * One LevelDB: all that must outlive the process. Everybody in the process who opens the same folder gets the same store.
 *
 * After any failed write LevelDB must not be written to again: the file may end in half a record, and what is appended
 * after that is lost on the next start though it was reported as stored. So batches go one after another, one failure
 * fails all that wait, and the store is closed and opened anew before the next. What lies in it stays as it is.
 */
export class Store {
  readonly directory: string;
  readonly #retry: number;
  readonly #listeners = new Set<StoreListener>();
  readonly #reports: DamageReport[] = [];
  readonly #queues = new Set<string>();
  #level: Level | undefined;
  #fault: PackError | undefined;
  #generation = 0;
  #repaired: string | undefined;
  #pending: Group[] = [];
  #writing = false;
  #writer = Promise.resolve();
  #closed = false;
  #recovery: Promise<void> | undefined;
  #endWait: (() => void) | undefined;
  #spaceFault: PackError | undefined;
  #spaceCheckedAt = -Infinity;
  #spaceChecks = 0;
  #bytesSinceCheck = 0;

  private constructor(directory: string, options: StoreOptions) {
    this.directory = directory;
    this.#retry = options.retryMilliseconds ?? RETRY;
  }

  /**
   * Opens the store in a folder, which is made if need be. Close it as often as it was opened.
   *
   * @throws PackError `store-unavailable`: read-only, in use by another process, cannot be repaired, …
   */
  static async open(directory: string, options: StoreOptions = {}): Promise<Store> {
    const path = await makeDirectory(directory);
    for (let entry = shared.get(path); entry?.closing !== undefined; entry = shared.get(path)) await entry.closing;
    let entry = shared.get(path);
    if (entry === undefined) {
      entry = { store: Store.#start(path, options), users: 0 };
      shared.set(path, entry);
    }
    entry.users++;
    try {
      return await entry.store;
    } catch (error) {
      if (shared.get(path) === entry) shared.delete(path);
      throw error;
    }
  }

  static async #start(path: string, options: StoreOptions): Promise<Store> {
    const store = new Store(path, options);
    try {
      await store.#open();
    } catch (error) {
      throw store.#errorOf(error);
    }
    return store;
  }

  /** Why the store is not open. */
  get fault(): PackError | undefined {
    return this.#fault;
  }

  /** Why nothing may be added: it is not open, or the disk is nearly full. Taking away is still possible in the latter case. */
  get refusal(): PackError | undefined {
    return this.#fault ?? this.#spaceFault;
  }

  /** Counts how often the store was opened: what was read from it must be read again when this has changed. */
  get generation(): number {
    return this.#generation;
  }

  /** When the store was last repaired; whoever counted before that must count again. */
  get repaired(): string | undefined {
    return this.#repaired;
  }

  /** Damage found so far is reported at once. Returns a function that removes the listener. */
  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    for (const report of this.#reports) listener.damaged?.(report);
    return () => this.#listeners.delete(listener);
  }

  /** Marks a queue as opened, so that nobody opens it twice, nor counts it among the orphans. */
  claim(queue: string): void {
    if (this.#queues.has(queue)) throw new Error(`The queue of ${queue} is open already`);
    this.#queues.add(queue);
  }

  unclaim(queue: string): void {
    this.#queues.delete(queue);
  }

  isClaimed(queue: string): boolean {
    return this.#queues.has(queue);
  }

  /**
   * Applies the operations, all or none. Batches that arrive while another is being written are joined into one, and
   * share one fsync.
   *
   * @param options - `sync`: resolve only when the batch is on the disk and survives a power cut.
   * @throws PackError `store-unavailable`. The operations may or may not be in the store when it opens again.
   */
  batch(operations: StoreOperation[], options: { sync: boolean }): Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      this.#pending.push({ operations, sync: options.sync, resolve, reject });
      if (!this.#writing) this.#writer = this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#pending.length > 0) {
      const groups = this.#pending;
      this.#pending = [];
      const level = this.#level;
      const sync = groups.some((group) => group.sync);
      const [first] = groups;
      const operations = groups.length === 1 && first ? first.operations : groups.flatMap((group) => group.operations);
      try {
        if (level === undefined) throw new Error('the store is closed');
        await level.batch(operations, { sync });
        for (const group of groups) group.resolve();
        for (const operation of operations)
          if (operation.type === 'put') this.#bytesSinceCheck += operation.value.length;
        if (this.#bytesSinceCheck >= SPACE_BYTES) this.checkSpace();
      } catch (error) {
        const fault = this.#fail(level, error);
        for (const group of [...groups, ...this.#pending.splice(0)]) group.reject(fault);
      }
    }
    this.#writing = false;
  }

  /** @throws PackError `store-unavailable` */
  async get(key: string): Promise<Buffer | undefined> {
    return this.#read((level) => level.get(key));
  }

  /** @throws PackError `store-unavailable` */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return this.#read((level) => level.hasMany(keys));
  }

  /**
   * The entries of a range in key order, as they were when reading began; up to `size` at a time, or about a megabyte.
   *
   * @throws PackError `store-unavailable`
   */
  async *pages(range: KeyRange, size = 1000): AsyncGenerator<StoreEntry[], void, undefined> {
    const level = this.#opened();
    const iterator = level.iterator({ ...range, highWaterMarkBytes: READ_AHEAD });
    try {
      for (;;) {
        const page = await this.#read(() => iterator.nextv(size), level);
        if (page.length === 0) return;
        yield page;
      }
    } finally {
      await iterator.close();
    }
  }

  async #read<T>(read: (level: Level) => Promise<T>, level = this.#opened()): Promise<T> {
    try {
      return await read(level);
    } catch (error) {
      throw this.#fail(level, error);
    }
  }

  #opened(): Level {
    if (this.#level === undefined) throw this.#fault ?? this.#errorOf(new Error('it is closed'));
    return this.#level;
  }

  /**
   * Somebody has found that what the store holds does not add up. It is closed, a copy is kept, it is repaired and opened
   * again, and everybody counts anew.
   *
   * @returns the error for whatever cannot be done now.
   */
  distrust(reason: string): PackError {
    return this.#fail(this.#level, Object.assign(new Error(reason), { code: 'LEVEL_CORRUPTION' }));
  }

  /** Gives the disk back what removed entries in the range still use. Runs in LevelDB's own thread. */
  async compact(range: KeyRange): Promise<void> {
    await this.#read((level) => level.compactRange(range.gte, range.lt));
  }

  /** Looks at the free space, if that has not just been done; {@link refusal} has the result. */
  checkSpace(): void {
    const now = performance.now();
    if (now - this.#spaceCheckedAt < SPACE_INTERVAL && this.#bytesSinceCheck < SPACE_BYTES) return;
    this.#spaceCheckedAt = now;
    this.#bytesSinceCheck = 0;
    void this.#lookAtSpace();
  }

  async #lookAtSpace(): Promise<void> {
    const problem = await spaceProblem(this.directory);
    this.#spaceFault = problem === undefined ? undefined : this.#errorOf(new Error(problem));
    if (this.#spaceChecks++ % TRIM_EVERY === 0) await trimInfoLog(this.directory);
  }

  /** Queues with points that are not open and not among those known, and how many points they have. */
  async orphans(known: Iterable<string>): Promise<Map<string, number>> {
    const others = new Set([...known, ...this.#queues]);
    const orphans = new Map<string, number>();
    for await (const page of this.pages(laneRange())) {
      for (const [key, value] of page) {
        const server = parseKey(key)?.server;
        if (server === undefined || others.has(server)) continue;
        for (const { points } of decodeLedger(key, value)?.shares.values() ?? []) {
          orphans.set(server, (orphans.get(server) ?? 0) + points);
        }
      }
    }
    return orphans;
  }

  /** Closes the store when nobody else uses it. Batches that were handed in are written first. */
  async close(): Promise<void> {
    const entry = shared.get(this.directory);
    if (entry === undefined || --entry.users > 0) return;
    entry.closing = this.#shutDown();
    try {
      await entry.closing;
    } finally {
      shared.delete(this.directory);
    }
  }

  async #shutDown(): Promise<void> {
    this.#closed = true;
    this.#endWait?.();
    while (this.#writing) await this.#writer;
    await this.#recovery;
    const level = this.#level;
    this.#level = undefined;
    this.#fault ??= this.#errorOf(new Error('it is closed'));
    await level?.close();
  }

  #fail(level: Level | undefined, error: unknown): PackError {
    // Several operations fail together when one does; the first has seen to it. What fails later, fails for that reason.
    if (level === undefined || level !== this.#level) return this.#fault ?? this.#errorOf(error);
    const fault = this.#errorOf(error);
    this.#level = undefined;
    this.#fault = fault;
    if (kindOfFault(error) === 'damaged') distrustLevel(this.directory, innermost(error).message);
    this.#recovery = this.#recover(level);
    return fault;
  }

  async #recover(failed: Level): Promise<void> {
    for (;;) {
      await this.#wait(isBeyondRepair(this.directory) ? RETRY_REPAIR : this.#retry);
      try {
        await failed.close();
        if (this.#closed) return;
        await this.#open();
      } catch (error) {
        this.#fault = this.#errorOf(error);
        continue;
      }
      this.#fault = undefined;
      for (const listener of this.#listeners) listener.opened?.();
      return;
    }
  }

  /** Not for ever: nothing that waits for the store to recover may keep the process from ending. */
  #wait(milliseconds: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds).unref();
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #open(): Promise<void> {
    const level = await openLevel(this.directory, (report) => this.#reportDamage(report));
    try {
      const repaired = await level.get(REPAIRED_KEY);
      this.#repaired = repaired?.toString();
      await this.#lookAtSpace();
    } catch (error) {
      await level.close();
      if (kindOfFault(error) === 'damaged') distrustLevel(this.directory, innermost(error).message);
      throw error;
    }
    this.#level = level;
    this.#generation++;
  }

  #reportDamage(report: DamageReport): void {
    this.#reports.push(report);
    for (const listener of this.#listeners) listener.damaged?.(report);
  }

  #errorOf(error: unknown): PackError {
    if (error instanceof PackError) return error;
    const reason = kindOfFault(error) === 'locked' ? 'another process is using it' : innermost(error).message;
    return new PackError('store-unavailable', `The store in ${this.directory} cannot be used: ${reason}`, {
      cause: error,
    });
  }
}

async function makeDirectory(directory: string): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    return await realpath(directory);
  } catch (error) {
    const reason = innermost(error).message;
    throw new PackError('store-unavailable', `The store in ${directory} cannot be used: ${reason}`, { cause: error });
  }
}
