import { PackError } from '../errors';
import { alarmKey, alarmRange, owedKey, owedRange } from '../store/keys';
import type { StoreOperation } from '../store/store';
import type { AlarmStore } from './alarm-store';
import { decodeDebt, encodeDebt, type Debt } from './debt';
import { decodeRecord, encodeRecord, type AlarmRecord } from './record';

/** What is put at once. */
const PAGE = 1000;

/** The alarms of one `alarm-state` node, and the changes that it owes, in memory and in the store. */
export class KeptAlarms {
  readonly #store: AlarmStore;
  readonly #node: string;
  readonly #records = new Map<string, AlarmRecord>();
  /** By key, so that the store holds no others. */
  readonly #owed = new Map<string, Debt>();
  /** Those whose newest state is not in the store, because that failed. */
  readonly #unstored = new Set<AlarmRecord>();
  /** The repair of the store that is known of. */
  #repaired: string | undefined;
  readonly #stopListening: () => void;

  private constructor(store: AlarmStore, node: string) {
    this.#store = store;
    this.#node = node;
    this.#repaired = store.repaired;
    this.#stopListening = store.listen({ opened: () => void this.#putMissing() });
  }

  /** @throws PackError `store-unavailable` */
  static async open(store: AlarmStore, node: string): Promise<KeptAlarms> {
    const kept = new KeptAlarms(store, node);
    try {
      for await (const page of store.pages(alarmRange(node))) {
        for (const [key, value] of page) {
          const record = decodeRecord(value);
          if (record === undefined) await store.putAsideBody(key, value);
          else kept.add(record);
        }
      }
      for await (const page of store.pages(owedRange(node))) {
        for (const [key, value] of page) {
          const debt = decodeDebt(value);
          if (debt === undefined) await store.putAsideBody(key, value);
          else kept.#owed.set(key, debt);
        }
      }
    } catch (error) {
      kept.close();
      throw error;
    }
    return kept;
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
  }

  /** The changes that are owed; of those that were stored, in the order in which they came about. */
  owed(): Debt[] {
    return [...this.#owed.values()];
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
    for (const debt of owed) this.#owed.set(this.#keyOf(debt), debt);
    const operations = [
      ...records.map((record) => this.#putRecord(record)),
      ...owed.map((debt) => putDebt(this.#keyOf(debt), debt)),
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

function putDebt(key: string, debt: Debt): StoreOperation {
  return { type: 'put', key, value: encodeDebt(debt) };
}

function deletion(key: string): StoreOperation {
  return { type: 'del', key };
}
