import { PackError } from '../errors';
import { alarmKey, alarmRange } from '../store/keys';
import type { Store, StoreOperation } from '../store/store';
import { decodeRecord, encodeRecord, type AlarmRecord } from './record';

/** Records that are put at once. */
const PAGE = 1000;

/** The alarms of one `alarm-state` node, in memory and in the store. */
export class KeptAlarms {
  readonly #store: Store;
  readonly #node: string;
  readonly #records = new Map<string, AlarmRecord>();
  /** Those whose newest state is not in the store, because that failed. */
  readonly #unstored = new Set<AlarmRecord>();
  /** The repair of the store that is known of. */
  #repaired: string | undefined;
  readonly #stopListening: () => void;

  private constructor(store: Store, node: string) {
    this.#store = store;
    this.#node = node;
    this.#repaired = store.repaired;
    this.#stopListening = store.listen({ opened: () => this.#putMissing() });
  }

  /** @throws PackError `store-unavailable` */
  static async open(store: Store, node: string): Promise<KeptAlarms> {
    const kept = new KeptAlarms(store, node);
    try {
      for await (const page of store.pages(alarmRange(node))) {
        for (const [, value] of page) {
          const record = decodeRecord(value);
          if (record !== undefined) kept.add(record);
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

  /**
   * Stores alarms as they are now.
   *
   * @returns why not, if so; then they are stored as soon as the store works again
   */
  async put(records: readonly AlarmRecord[], options: { sync: boolean }): Promise<PackError | undefined> {
    const operations = records.map((record) => this.#operation(record));
    try {
      await this.#store.batch(operations, options);
      return undefined;
    } catch (error) {
      for (const record of records) this.#unstored.add(record);
      if (error instanceof PackError) return error;
      throw error;
    }
  }

  close(): void {
    this.#stopListening();
  }

  /** The store works again: puts what could not be stored; after a repair all, as that may have lost some. */
  #putMissing(): void {
    const wasRepaired = this.#store.repaired !== this.#repaired;
    this.#repaired = this.#store.repaired;
    const records = wasRepaired ? [...this.#records.values()] : [...this.#unstored];
    this.#unstored.clear();
    for (let start = 0; start < records.length; start += PAGE) {
      void this.put(records.slice(start, start + PAGE), { sync: true });
    }
  }

  #operation(record: AlarmRecord): StoreOperation {
    return { type: 'put', key: alarmKey(this.#node, record.source.topic), value: encodeRecord(record) };
  }
}
