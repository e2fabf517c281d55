import { isActive } from './machine';
import type { AlarmRecord } from './record';

/** Bytes of memory, by estimate: of all alarms and watched sensors of a node, and of those of one entry of the registry. */
export interface RoomLimits {
  node: number;
  entry: number;
}

export const ROOM: RoomLimits = { node: 96 * 1024 * 1024, entry: 64 * 1024 * 1024 };

/** Characters of a topic; its captured levels, and so the tags, are no longer than that. */
export const MOST_TOPIC = 512;

/** Bytes of one without its texts, with all that refers to it. */
const BYTES = 2000;

/**
 * What can be let go, from the first to the last: `idle` has nothing to tell, `silent` has been told, `awaited` will be missed.
 * What is raised, or about to be, is none of these.
 */
type Sort = 'idle' | 'silent' | 'awaited';

interface Share {
  bytes: number;
  /** Each with the one first of which the longest nothing has come. */
  readonly sorts: Readonly<Record<Sort, Map<string, AlarmRecord>>>;
}

interface Place {
  bytes: number;
  share: Share;
  sort: Sort | undefined;
}

/** The room that alarms take: whoever has a key can make as many as there are topics, so there is a bound to it. */
export class Room {
  readonly #limits: RoomLimits;
  readonly #places = new Map<string, Place>();
  readonly #shares = new Map<string, Share>();
  #bytes = 0;

  constructor(limits: RoomLimits = ROOM) {
    this.#limits = limits;
  }

  /** Something has come of one: it is the newest of its sort, and mostly nothing else has changed. */
  hear(record: AlarmRecord): void {
    const { topic } = record.source;
    const sort = sortOf(record);
    const place = this.#places.get(topic);
    if (sort === undefined || place?.sort !== sort) {
      this.put(record);
      return;
    }
    const sorted = place.share.sorts[sort];
    sorted.delete(topic);
    sorted.set(topic, record);
  }

  /** Takes note of one as it is now, as the newest of its sort. */
  put(record: AlarmRecord): void {
    const { topic } = record.source;
    this.remove(topic);
    const share = this.#shareOf(record.entry ?? '');
    const bytes = bytesOf(record);
    const sort = sortOf(record);
    this.#places.set(topic, { bytes, share, sort });
    if (sort !== undefined) share.sorts[sort].set(topic, record);
    share.bytes += bytes;
    this.#bytes += bytes;
  }

  remove(topic: string): void {
    const place = this.#places.get(topic);
    if (place === undefined) return;
    const { bytes, share, sort } = place;
    this.#places.delete(topic);
    if (sort !== undefined) share.sorts[sort].delete(topic);
    share.bytes -= bytes;
    this.#bytes -= bytes;
  }

  /**
   * Makes room for a new one.
   *
   * @returns whether there is, and who had to go
   */
  make(record: AlarmRecord): { isRoom: boolean; evicted: AlarmRecord[] } {
    const share = this.#shareOf(record.entry ?? '');
    const bytes = bytesOf(record);
    // One that is watched is not given up to watch another, or they would take each other's place for ever.
    const sorts: Sort[] = record.reading ? ['idle', 'silent'] : ['idle', 'silent', 'awaited'];
    const evicted: AlarmRecord[] = [];
    for (;;) {
      const isShareFull = share.bytes + bytes > this.#limits.entry;
      if (!isShareFull && this.#bytes + bytes <= this.#limits.node) return { isRoom: true, evicted };
      const victim = oldest(isShareFull ? [share] : this.#shares.values(), sorts);
      if (victim === undefined) return { isRoom: false, evicted };
      this.remove(victim.source.topic);
      evicted.push(victim);
    }
  }

  #shareOf(entry: string): Share {
    const known = this.#shares.get(entry);
    if (known !== undefined) return known;
    for (const [name, { bytes }] of this.#shares) if (bytes === 0) this.#shares.delete(name);
    const share = { bytes: 0, sorts: { idle: new Map(), silent: new Map(), awaited: new Map() } };
    this.#shares.set(entry, share);
    return share;
  }
}

function oldest(shares: Iterable<Share>, sorts: readonly Sort[]): AlarmRecord | undefined {
  const all = [...shares];
  for (const sort of sorts) {
    const firsts = all.flatMap((share) => share.sorts[sort].values().next().value ?? []);
    const [first] = firsts.sort((one, other) => one.heard - other.heard);
    if (first !== undefined) return first;
  }
  return undefined;
}

function sortOf(record: AlarmRecord): Sort | undefined {
  if (record.state === 'raised' || record.turning !== undefined) return undefined;
  if (isActive(record)) return 'silent';
  return record.interval === undefined || record.forgotten === true ? 'idle' : 'awaited';
}

function bytesOf({ source, severity = '', seen }: AlarmRecord): number {
  let characters = 3 * source.topic.length + severity.length;
  for (const [name, value] of Object.entries(source.tags)) characters += name.length + 2 * value.length;
  return BYTES + 2 * characters + (seen?.bytes ?? 0);
}
