import { chmod, mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PackError } from '../errors';
import { AsideCount, asideOperations, unsealAll, type AsideReport, type UnreadableRecord } from './aside';
import { seal, unseal } from './codec';
import { noteClosed } from './closed-note';
import { innermost, kindOfFault, MISCOUNTED } from './damage';
import { spaceProblem, trimInfoLog } from './disk-space';
import { OWNER_FOLDER, syncFolder } from './durable-files';
import { ensureFormat } from './format';
import { ASIDE, laneRange, parseKey, prefixRange, REPAIRED_KEY, type KeyRange } from './keys';
import { decodeLedger } from './ledger';
import { isDataFile, isGoodTableFile } from './inspect';
import { distrustLevel, isDistrusted, openLevel, type DamageReport, type Level } from './level';

export type { AsideReport } from './aside';
export type { DamageReport } from './level';

export type StoreOperation =
  | {
      type: 'put';
      key: string;
      value: Buffer;
      /** The value is a whole record already, see codec.ts; otherwise it is the body of one. */
      isSealed?: boolean;
    }
  | { type: 'del'; key: string };

/** A key, and the body of its record. */
export type StoreEntry = [string, Buffer];

export interface StoreListener {
  /** The store is open again, after {@link Store.fault}. */
  opened?(): void;
  // Of what follows, one of those who listen is told, so that it is said once.
  damaged?(report: DamageReport): void;
  /** Records cannot be read; they are kept under other keys. */
  putAside?(report: AsideReport): void;
}

/** Something to be told to a listener, if it wants to hear of it. */
type Telling = (listener: StoreListener) => (() => void) | undefined;

export interface StoreOptions {
  /** Between attempts to open the store again after a failure. Default 1000. */
  retryMilliseconds?: number;
}

interface Group {
  operations: StoreOperation[];
  resolve: () => void;
  reject: (error: PackError) => void;
}

interface SharedStore {
  store: Promise<Store>;
  users: number;
  closing?: Promise<void>;
}

const RETRY = 1000;
/** The longest time between attempts to repair it. */
const RETRY_REPAIR = 60_000;
/** The free space is looked at when so much time has passed, or so much been written. */
const SPACE_INTERVAL = 1000;
const SPACE_BYTES = 1024 * 1024;
/** Milliseconds between tables, of 2 MB mostly, that are looked at while the store is open. */
const BETWEEN_TABLES = 100;
const TRIM_EVERY = 600;
const READ_AHEAD = 1024 * 1024;

/** Those that are open, or are being opened again after a failure. */
const inUse = new Set<Store>();

/** What damage has left in the stores of this process. */
export function damageTotals(): { aside: Map<string, number>; repairs: number } {
  const aside = new Map<string, number>();
  let repairs = 0;
  for (const store of inUse) {
    repairs += store.repairs;
    for (const [kind, records] of store.aside) aside.set(kind, (aside.get(kind) ?? 0) + records);
  }
  return { aside, repairs };
}

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
  /** Nobody has been there who could be told. */
  #untold: Telling[] = [];
  readonly #aside = new AsideCount((report) => this.#tell((listener) => listener.putAside?.bind(listener, report)));
  readonly #queues = new Set<string>();
  #level: Level | undefined;
  #fault: PackError | undefined;
  #generation = 0;
  #repaired: string | undefined;
  #repairs = 0;
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
    inUse.add(store);
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

  /** How often it was repaired since it was opened first. */
  get repairs(): number {
    return this.#repairs;
  }

  /** Damage that nobody has been told of is reported at once. Returns a function that removes the listener. */
  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    for (const telling of this.#untold.splice(0)) this.#tell(telling);
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
   * share one fsync. Each is on the disk when this resolves, and survives a power cut, whatever `sync` says: LevelDB may
   * begin another file at any time, and a batch that was synced there would rest on one that was not here.
   *
   * @throws PackError `store-unavailable`. The operations may or may not be in the store when it opens again.
   */
  batch(operations: StoreOperation[], options?: { sync: boolean }): Promise<void>;
  batch(operations: StoreOperation[]): Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      this.#pending.push({ operations: operations.map(sealed), resolve, reject });
      if (!this.#writing) this.#writer = this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#pending.length > 0) {
      const groups = this.#pending;
      this.#pending = [];
      const level = this.#level;
      const [first] = groups;
      const operations = groups.length === 1 && first ? first.operations : groups.flatMap((group) => group.operations);
      try {
        if (level === undefined) throw new Error('the store is closed');
        if (operations.length > 0) await level.batch(operations, { sync: true });
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

  /**
   * The body of a record; undefined when there is none that can be read.
   *
   * @throws PackError `store-unavailable`
   */
  async get(key: string): Promise<Buffer | undefined> {
    const record = await this.getSealed(key);
    const body = record && unseal(key, record);
    if (record === undefined || typeof body !== 'string') return body as Buffer | undefined;
    await this.putAside([{ key, record, fault: body }]);
    return undefined;
  }

  /**
   * A record as it lies in the store.
   *
   * @throws PackError `store-unavailable`
   */
  async getSealed(key: string): Promise<Buffer | undefined> {
    return this.#read((level) => level.get(key));
  }

  /** @throws PackError `store-unavailable` */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return this.#read((level) => level.hasMany(keys));
  }

  /** @throws PackError `store-unavailable` */
  async isEmpty(range: KeyRange): Promise<boolean> {
    return this.#read(async (level) => (await level.keys({ ...range, limit: 1 }).all()).length === 0);
  }

  /**
   * The bodies of a range in key order, as they were when reading began; up to `size` at a time, or about a megabyte.
   * Records that cannot be read are put aside.
   *
   * @throws PackError `store-unavailable`
   */
  async *pages(range: KeyRange, size = 1000): AsyncGenerator<StoreEntry[], void, undefined> {
    for await (const page of this.sealedPages(range, size)) {
      const { readable, unreadable } = unsealAll(page);
      await this.putAside(unreadable);
      yield readable;
    }
  }

  /**
   * The same, with whole records as they lie in the store.
   *
   * @throws PackError `store-unavailable`
   */
  async *sealedPages(range: KeyRange, size = 1000): AsyncGenerator<StoreEntry[], void, undefined> {
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

  /**
   * Takes records that cannot be read out of the way. They stay in the store under other keys, are counted, and told of.
   *
   * @throws PackError `store-unavailable`
   */
  async putAside(unreadable: readonly UnreadableRecord[]): Promise<void> {
    if (unreadable.length === 0) return;
    await this.batch(asideOperations(unreadable), { sync: true });
    this.#aside.add(unreadable);
  }

  /** The same for a body that is none of its kind, though its record is whole. */
  async putAsideBody(key: string, body: Buffer): Promise<void> {
    await this.putAside([{ key, record: seal(key, body), fault: 'damaged' }]);
  }

  /** Of each kind of records, how many cannot be read and lie aside. */
  get aside(): ReadonlyMap<string, number> {
    return this.#aside.records;
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
   * Somebody has found that what the store holds does not add up. It is closed, all its files are looked at, what is
   * damaged is repaired, it is opened again, and everybody counts anew.
   *
   * @returns the error for whatever cannot be done now.
   */
  distrust(reason: string): PackError {
    return this.#fail(this.#level, Object.assign(new Error(reason), { code: MISCOUNTED }));
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
        for (const { points } of decodeLedger(value)?.shares.values() ?? []) {
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
    inUse.delete(this);
    this.#endWait?.();
    while (this.#writing) await this.#writer;
    await this.#recovery;
    this.#aside.flush();
    const level = this.#level;
    this.#level = undefined;
    this.#fault ??= this.#errorOf(new Error('it is closed'));
    await level?.close();
    // Without the note the store is as after a crash.
    if (level !== undefined) await noteClosed(this.directory, isDataFile).catch(() => undefined);
  }

  #fail(level: Level | undefined, error: unknown): PackError {
    // Several operations fail together when one does; the first has seen to it. What fails later, fails for that reason.
    if (level === undefined || level !== this.#level) return this.#fault ?? this.#errorOf(error);
    const fault = this.#errorOf(error);
    this.#level = undefined;
    this.#fault = fault;
    this.#distrustFor(error);
    this.#recovery = this.#recover(level);
    return fault;
  }

  #distrustFor(error: unknown): void {
    const kind = kindOfFault(error);
    if (kind === 'damaged' || kind === 'miscounted') distrustLevel(this.directory, error);
  }

  async #recover(failed: Level): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      // A repair reads the whole store: what failed once is tried less and less often.
      const factor = isDistrusted(this.directory) ? 2 ** Math.min(attempt, 16) : 1;
      await this.#wait(Math.min(this.#retry * factor, RETRY_REPAIR));
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
    const { level, unchecked } = await openLevel(this.directory, (report) => {
      this.#repairs++;
      this.#tell((listener) => listener.damaged?.bind(listener, report));
    });
    try {
      await ensureFormat(level);
      const repaired = await level.get(REPAIRED_KEY);
      const body = repaired && unseal(REPAIRED_KEY, repaired);
      // Unreadable: it differs from whatever the queues have noted, so that they are counted anew.
      this.#repaired = body?.toString();
      this.#aside.recount(await level.keys(prefixRange(ASIDE)).all());
      await this.#lookAtSpace();
    } catch (error) {
      await level.close();
      this.#distrustFor(error);
      throw error;
    }
    this.#level = level;
    this.#generation++;
    void this.#checkTables(level, unchecked);
  }

  /** Looks at those tables that were not looked at before the store was opened. */
  async #checkTables(level: Level, unchecked: readonly string[]): Promise<void> {
    for (const file of unchecked) {
      await pause(BETWEEN_TABLES, undefined, { ref: false });
      if (this.#level !== level) return;
      if (await isGoodTableFile(join(this.directory, file))) continue;
      this.distrust(`${file} has blocks that cannot be read`);
      return;
    }
  }

  #tell(telling: Telling): void {
    for (const listener of this.#listeners) {
      const tell = telling(listener);
      if (tell === undefined) continue;
      tell();
      return;
    }
    this.#untold.push(telling);
  }

  #errorOf(error: unknown): PackError {
    if (error instanceof PackError) return error;
    const reason = kindOfFault(error) === 'locked' ? 'another process is using it' : innermost(error).message;
    return new PackError('store-unavailable', `The store in ${this.directory} cannot be used: ${reason}`, {
      cause: error,
    });
  }
}

function sealed(operation: StoreOperation): StoreOperation {
  if (operation.type === 'del' || operation.isSealed === true) return operation;
  return { type: 'put', key: operation.key, value: seal(operation.key, operation.value) };
}

async function makeDirectory(directory: string): Promise<string> {
  try {
    const made = await mkdir(directory, { recursive: true, mode: OWNER_FOLDER });
    const path = await realpath(directory);
    // Earlier releases let everybody on the machine read it.
    await chmod(path, OWNER_FOLDER).catch(() => undefined);
    // The names of the folders that were made are on the disk when those that hold them are.
    if (made !== undefined) {
      const top = dirname(await realpath(made));
      for (let folder = dirname(path); folder.length >= top.length; folder = dirname(folder)) {
        await syncFolder(folder);
        if (folder === dirname(folder)) break;
      }
    }
    return path;
  } catch (error) {
    const reason = innermost(error).message;
    throw new PackError('store-unavailable', `The store in ${directory} cannot be used: ${reason}`, { cause: error });
  }
}
