import { parseJson } from '../store/json';
import { listenedPrefix, numberedKey, prefixRange } from '../store/keys';
import type { StoreOperation } from '../store/store';
import type { AlarmStore } from './alarm-store';
import type { Clock } from './clock';
import type { AlarmRecord } from './record';
import { MOST_TOPIC } from './room';
import type { Gap } from './silence';

/** Until when somebody has listened, and when each of some sensors was last heard by then; in milliseconds since 1970. */
interface Page {
  until: number;
  /** It was written when the node was closed, so that nothing was heard after that. */
  isLast: boolean;
  heard: [topic: string, at: number][];
}

interface Known extends Omit<Page, 'heard'> {
  heard: number;
}

export interface ListeningOptions {
  store: AlarmStore;
  /** Id of the `alarm-state` node. */
  node: string;
  clock: Clock;
  /** Whether anything is waited for. */
  isNeeded: () => boolean;
}

/** Sensors in a page: about 50 kB. */
const PAGE_SIZE = 1000;
/** Sensors that are read at a start at most: more than there is room for. */
const MOST_KNOWN = 100_000;
/** Milliseconds in which each page is written once… */
const ROUND = 10_000;
/** …but not more than one in so many. */
const SHORTEST_PAUSE = 1000;

/**
 * Remembers over a restart when sensors were heard, and until when somebody has listened at all. To store that with every
 * reading would be a write for each, so it is done now and then, a page at a time, and at the end: if the process is killed,
 * the last seconds are as if nobody had listened.
 */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #known: ReadonlyMap<string, Known>;
  /** By topic, in which page each is. */
  readonly #sensors = new Map<string, Set<AlarmRecord>>();
  readonly #pages: Set<AlarmRecord>[] = [];
  /** Pages with room in them. */
  readonly #open = new Set<Set<AlarmRecord>>();
  /** Until when somebody has listened before the start. */
  #until: number;
  /** The page that is written next. */
  #next = 0;
  #endWait: (() => void) | undefined;
  #closed = false;

  private constructor(options: ListeningOptions, until: number, known: ReadonlyMap<string, Known>) {
    this.#options = options;
    this.#until = until;
    this.#known = known;
  }

  /** @throws PackError `store-unavailable` */
  static async open(options: ListeningOptions): Promise<Listening> {
    const { store, node } = options;
    const known = new Map<string, Known>();
    let until = 0;
    for await (const entries of store.pages(prefixRange(listenedPrefix(node)), 1)) {
      for (const [key, value] of entries) {
        const page = decode(value);
        if (page === undefined) {
          await store.putAsideBody(key, value);
          continue;
        }
        until = Math.max(until, page.until);
        for (const [topic, heard] of page.heard) {
          if (topic.length > MOST_TOPIC || known.size >= MOST_KNOWN) continue;
          const before = known.get(topic);
          if (before === undefined || before.until < page.until) known.set(topic, { ...page, heard });
        }
      }
    }
    return new Listening(options, until, known);
  }

  /** Takes up what was stored of the alarms of the node. */
  takeUp(records: Iterable<AlarmRecord>): void {
    const now = this.#options.clock.wall();
    for (const record of records) {
      if (record.reading) {
        record.heard = Math.max(record.heard, this.#known.get(record.source.topic)?.heard ?? 0);
        this.watch(record);
      }
      // The clock was ahead then: it was heard before now in any case.
      record.heard = Math.min(record.heard, now);
      this.#until = Math.max(this.#until, record.heard);
    }
  }

  /** The time before the start in which nobody has listened to this one. */
  gapOf({ reading, source, heard }: AlarmRecord, to: number): Gap {
    if (!reading) return { from: this.#until, to, isExact: true };
    const { until = 0, isLast = false } = this.#known.get(source.topic) ?? {};
    return { from: Math.max(until, heard), to, isExact: isLast };
  }

  /** Remembers from now on when this sensor was heard. */
  watch(record: AlarmRecord): void {
    const { topic } = record.source;
    if (this.#sensors.has(topic)) return;
    let [page] = this.#open;
    if (page === undefined) {
      page = new Set();
      this.#pages.push(page);
      this.#open.add(page);
    }
    page.add(record);
    this.#sensors.set(topic, page);
    if (page.size >= PAGE_SIZE) this.#open.delete(page);
  }

  /** Forgets it. */
  unwatch(record: AlarmRecord): void {
    const page = this.#sensors.get(record.source.topic);
    if (page === undefined) return;
    this.#sensors.delete(record.source.topic);
    page.delete(record);
    this.#open.add(page);
  }

  /** Writes now, and again and again, as long as anything is waited for. */
  start(): void {
    if (this.#endWait !== undefined || this.#closed || !this.#options.isNeeded()) return;
    if (this.#next >= this.#pages.length) this.#next = 0;
    void this.#write([this.#next]);
    this.#next += 1;
    const pause = Math.max(ROUND / Math.max(this.#pages.length, 1), SHORTEST_PAUSE);
    this.#endWait = this.#options.clock.after(pause, () => {
      this.#endWait = undefined;
      this.start();
    });
  }

  /** Writes all of it for the last time. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#endWait?.();
    await this.writeAll();
  }

  /** Writes all of it now: after the clock was set, what is stored is by the old time. */
  async writeAll(): Promise<void> {
    if (!this.#options.isNeeded()) return;
    await this.#write(this.#pages.length === 0 ? [0] : [...this.#pages.keys()]);
  }

  async #write(pages: readonly number[]): Promise<void> {
    const { store, node, clock } = this.#options;
    const until = Math.floor(clock.wall());
    const prefix = listenedPrefix(node);
    const operations = pages.map((index): StoreOperation => {
      const heard = Array.from(this.#pages[index] ?? [], ({ source, heard }): [string, number] => [
        source.topic,
        heard,
      ]);
      const page: Page = { until, isLast: this.#closed, heard };
      return { type: 'put', key: numberedKey(prefix, index), value: Buffer.from(JSON.stringify(page)) };
    });
    try {
      await store.batch(operations, { sync: false });
    } catch {
      // The store says itself what is wrong with it. What could not be written now is written next time.
    }
  }
}

/** Undefined for what no release has written. */
function decode(value: Buffer): Page | undefined {
  const page = parseJson(value) as Partial<Page> | null | undefined;
  return typeof page?.until === 'number' && Array.isArray(page.heard) ? (page as Page) : undefined;
}
