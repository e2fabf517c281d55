import { PackError } from '../errors';
import { alarmKey, alarmRange, owedKey, owedRange } from '../store/keys';
import type { StoreOperation } from '../store/store';
import type { AlarmStore } from './alarm-store';
import { decodeDebt, encodeDebt, type Debt, type StoredDebt } from './debt';
import { decodeRecord, encodeRecord, type AlarmRecord } from './record';
import { MOST_TOPIC, Room } from './room';

/** What is put at once. */
const PAGE = 1000;
/** Bytes of one record at most: several times what one of a topic that is not too long can have. */
const MOST_VALUE = 64 * 1024;
/** Changes that are announced again after a start at most: those of some seconds. */
const MOST_OWED = 20_000;

/** What was found when the alarms were read, and could not be taken up. */
export interface Losses {
  /** Had no room and is deleted: cleared or silent, or of a topic that is too long. */
  evicted: number;
  /** Was raised and had no room. It stays in the store. */
  untracked: number;
  /** Changes that are not announced again, as there are too many, or of a topic that is too long. */
  owed: number;
}

/** The alarms of one `alarm-state` node, and the changes that it owes, in memory and in the store. */
export class KeptAlarms {
  readonly #store: AlarmStore;
  readonly #node: string;
  readonly #records = new Map<string, AlarmRecord>();
  /** By key, so that the store holds no others. */
  readonly #owed = new Map<string, StoredDebt>();
  /** Those whose newest state is not in the store, because that failed. */
  readonly #unstored = new Set<AlarmRecord>();
  readonly #room: Room;
  readonly losses: Losses = { evicted: 0, untracked: 0, owed: 0 };
  /** Of the newest change. */
  #order = 0;
  /** The repair of the store that is known of. */
  #repaired: string | undefined;
  readonly #stopListening: () => void;

  private constructor(store: AlarmStore, node: string, room: Room) {
    this.#store = store;
    this.#node = node;
    this.#room = room;
    this.#repaired = store.repaired;
    this.#stopListening = store.listen({ opened: () => void this.#putMissing() });
  }

  /** @throws PackError `store-unavailable` */
  static async open(store: AlarmStore, node: string, room = new Room()): Promise<KeptAlarms> {
    const kept = new KeptAlarms(store, node, room);
    try {
      for await (const page of store.pages(alarmRange(node))) {
        const gone: string[] = [];
        for (const [key, value] of page) {
          const record = value.length > MOST_VALUE ? 'too large' : decodeRecord(value);
          if (record === undefined) await store.putAsideBody(key, value);
          else gone.push(...kept.#load(key, record));
        }
        if (gone.length > 0) void kept.#batch(gone.map(deletion), false);
      }
      for await (const page of store.pages(owedRange(node))) {
        for (const [key, value] of page) {
          const stored = value.length > MOST_VALUE ? 'too large' : decodeDebt(value);
          if (stored === undefined) await store.putAsideBody(key, value);
          else kept.#loadOwed(key, stored);
        }
      }
    } catch (error) {
      kept.close();
      throw error;
    }
    return kept;
  }

  /** Takes up what is stored, as far as there is room. Returns the keys of what is to be deleted. */
  #load(key: string, record: AlarmRecord | 'too large'): string[] {
    if (record === 'too large' || record.source.topic.length > MOST_TOPIC) {
      this.losses.evicted += 1;
      return [key];
    }
    const { isRoom, evicted } = this.#room.make(record);
    for (const { source } of evicted) this.#records.delete(source.topic);
    const gone = evicted.map(({ source }) => alarmKey(this.#node, source.topic));
    this.losses.evicted += evicted.length;
    if (isRoom) this.add(record);
    else if (record.state === 'raised') this.losses.untracked += 1;
    else {
      this.losses.evicted += 1;
      gone.push(key);
    }
    return gone;
  }

  #loadOwed(key: string, stored: StoredDebt | 'too large'): void {
    if (stored === 'too large' || this.#owed.size >= MOST_OWED) {
      this.losses.owed += 1;
      return;
    }
    this.#owed.set(key, stored);
    this.#order = Math.max(this.#order, stored.order);
  }

  get(id: string): AlarmRecord | undefined {
    return this.#records.get(id);
  }

  all(): Iterable<AlarmRecord> {
    return this.#records.values();
  }

  /** Remembers an alarm; {@link put} stores it. */
  add(record: AlarmRecord): void {
    this.#records.set(record.source.topic, record);
    this.#room.put(record);
  }

  /** Makes room for a new alarm: whether there is any, and who had to go. */
  makeRoom(record: AlarmRecord): { isRoom: boolean; evicted: AlarmRecord[] } {
    const made = this.#room.make(record);
    for (const one of made.evicted) {
      this.#records.delete(one.source.topic);
      this.#unstored.delete(one);
    }
    const keys = made.evicted.map(({ source }) => alarmKey(this.#node, source.topic));
    if (keys.length > 0) void this.#batch(keys.map(deletion), false);
    return made;
  }

  /** A reading has come, of one that is as it was before. */
  hear(record: AlarmRecord): void {
    this.#room.hear(record);
  }

  /** Something has happened to it: the room that it takes is another. */
  touch(record: AlarmRecord): void {
    this.#room.put(record);
  }

  /** The changes that are owed, in the order in which they came about. */
  owed(): Debt[] {
    return [...this.#owed.values()].sort((one, other) => one.order - other.order).map(({ debt }) => debt);
  }

  /**
   * Stores alarms as they are now, together with changes that are owed from now on.
   *
   * @returns why not, if so; then they are stored as soon as the store works again
   */
  async put(
    records: readonly AlarmRecord[],
    { sync, owed = [] }: { sync: boolean; owed?: readonly Debt[] },
  ): Promise<PackError | undefined> {
    const debts = owed.map((debt): [string, StoredDebt] => {
      this.#order += 1;
      return [this.#keyOf(debt), { debt, order: this.#order }];
    });
    for (const [key, debt] of debts) this.#owed.set(key, debt);
    const operations = [
      ...records.map((record) => this.#putRecord(record)),
      ...debts.map(([key, debt]) => putDebt(key, debt)),
    ];
    const error = await this.#batch(operations, sync);
    if (error !== undefined) for (const record of records) this.#unstored.add(record);
    return error;
  }

  /**
   * These changes are not owed any more. There may be none.
   *
   * @returns when that is in the store, as is all that was handed to it before; with the error if the store fails
   */
  async settle(debts: readonly Debt[]): Promise<PackError | undefined> {
    const keys = debts.map((debt) => this.#keyOf(debt));
    for (const key of keys) this.#owed.delete(key);
    return this.#batch(keys.map(deletion), false);
  }

  close(): void {
    this.#stopListening();
  }

  /** The store works again: puts what could not be stored; after a repair all, as that may have lost some. */
  async #putMissing(): Promise<void> {
    const wasRepaired = this.#store.repaired !== this.#repaired;
    this.#repaired = this.#store.repaired;
    const records = wasRepaired ? [...this.#records.values()] : [...this.#unstored];
    this.#unstored.clear();
    for (let start = 0; start < records.length; start += PAGE) {
      void this.put(records.slice(start, start + PAGE), { sync: true });
    }
    const operations = [...this.#owed].map(([key, debt]) => putDebt(key, debt));
    for (let start = 0; start < operations.length; start += PAGE) {
      void this.#batch(operations.slice(start, start + PAGE), true);
    }
    await this.#deleteSettled();
  }

  /** What has been settled while the store failed would else be announced again after the next start. */
  async #deleteSettled(): Promise<void> {
    try {
      for await (const page of this.#store.pages(owedRange(this.#node), PAGE)) {
        const settled = page.map(([key]) => key).filter((key) => !this.#owed.has(key));
        void this.#batch(settled.map(deletion), false);
      }
    } catch (error) {
      // When the store has failed once more, it will report that it is open once more.
      if (!(error instanceof PackError)) throw error;
    }
  }

  async #batch(operations: StoreOperation[], sync: boolean): Promise<PackError | undefined> {
    try {
      await this.#store.batch(operations, { sync });
      return undefined;
    } catch (error) {
      if (error instanceof PackError) return error;
      throw error;
    }
  }

  #keyOf({ change, source }: Debt): string {
    return owedKey(this.#node, change.time, source.topic);
  }

  #putRecord(record: AlarmRecord): StoreOperation {
    return { type: 'put', key: alarmKey(this.#node, record.source.topic), value: encodeRecord(record) };
  }
}

function putDebt(key: string, debt: StoredDebt): StoreOperation {
  return { type: 'put', key, value: encodeDebt(debt) };
}

function deletion(key: string): StoreOperation {
  return { type: 'del', key };
}
