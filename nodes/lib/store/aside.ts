import { unseal, type RecordFault } from './codec';
import { ASIDE, kindOf } from './keys';
import type { StoreEntry, StoreOperation } from './store';

/** Records of a kind that cannot be read and have been put aside. */
export interface AsideReport {
  /** What the key begins with, see keys.ts; `unknown` if no release has written such a key. */
  kind: string;
  records: number;
  fault: RecordFault;
}

/** A record that cannot be read, as it was found. */
export interface UnreadableRecord {
  key: string;
  record: Buffer;
  fault: RecordFault;
}

/** Milliseconds in which reports are gathered: a damaged file often holds many records. */
const GATHER = 500;

/** Where a record is kept that cannot be read. */
export function asideKey(key: string): string {
  return ASIDE + key;
}

/** Takes records out of the way, and keeps them. */
export function asideOperations(unreadable: readonly UnreadableRecord[]): StoreOperation[] {
  return unreadable.flatMap(({ key, record }): StoreOperation[] => [
    { type: 'del', key },
    { type: 'put', key: asideKey(key), value: record },
  ]);
}

/** Sorts what was read into bodies, and records that cannot be read. */
export function unsealAll(entries: readonly StoreEntry[]): { readable: StoreEntry[]; unreadable: UnreadableRecord[] } {
  const readable: StoreEntry[] = [];
  const unreadable: UnreadableRecord[] = [];
  for (const [key, record] of entries) {
    const body = unseal(key, record);
    if (typeof body === 'string') unreadable.push({ key, record, fault: body });
    else readable.push([key, body]);
  }
  return { readable, unreadable };
}

/** Counts what has been put aside, and tells of it: each record once. */
export class AsideCount {
  readonly #records = new Map<string, number>();
  readonly #news = new Map<string, AsideReport>();
  readonly #tell: (report: AsideReport) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (report: AsideReport) => void) {
    this.#tell = tell;
  }

  /** Of each kind, how many records lie aside in the store. */
  get records(): ReadonlyMap<string, number> {
    return this.#records;
  }

  /** @param keys - of all that lies aside, as {@link asideKey} made them. */
  recount(keys: Iterable<string>): void {
    this.#records.clear();
    for (const key of keys) this.#add(kindOf(key.slice(ASIDE.length)) ?? 'unknown');
  }

  add(unreadable: readonly UnreadableRecord[]): void {
    for (const { key, fault } of unreadable) {
      const kind = kindOf(key) ?? 'unknown';
      this.#add(kind);
      const news = this.#news.get(`${kind} ${fault}`) ?? { kind, records: 0, fault };
      news.records++;
      this.#news.set(`${kind} ${fault}`, news);
    }
    if (this.#news.size > 0) this.#timer ??= setTimeout(() => this.flush(), GATHER).unref();
  }

  /** Tells what has not been told yet. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const news = [...this.#news.values()];
    this.#news.clear();
    for (const report of news) this.#tell(report);
  }

  #add(kind: string): void {
    this.#records.set(kind, (this.#records.get(kind) ?? 0) + 1);
  }
}
