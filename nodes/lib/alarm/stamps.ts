import { createHash } from 'node:crypto';
import { seriesOf, type Source } from './alarm';
import type { AlarmStore } from './alarm-store';
import type { AlarmRecord } from './record';
import { isAhead, isLater, type Judging } from './verdict';

/** Two nodes can have the same topics, with other delays: they share the stamps, as they share the store. */
const shared = new WeakMap<AlarmStore, Stamps>();

/** Stamps that are remembered. Only those of one time and series could meet. */
const MOST_STAMPS = 16_384;

/**
 * Gives each change the time of the message that brought it, or of now; and each of a series a time of its own, since InfluxDB
 * would take two rows of one series and time for one.
 */
export class Stamps {
  readonly #taken = new Set<string>();

  static of(store: AlarmStore): Stamps {
    const stamps = shared.get(store) ?? new Stamps();
    shared.set(store, stamps);
    return stamps;
  }

  /** No change of these series is to get a time that one of them had. */
  learn(records: Iterable<Pick<AlarmRecord, 'source' | 'stamp'>>): void {
    for (const { source, stamp } of records) if (stamp !== '0') this.#take(keyOf(source, stamp));
  }

  /**
   * The time of a change.
   *
   * @param wanted - nanoseconds since 1970
   */
  next({ source, stamp }: AlarmRecord, wanted: string, judging: Judging): string {
    let time = wanted;
    // The changes of an alarm are in order, as far as clocks allow: one that was ahead must not move all that follow.
    if (!isLater(time, stamp) && !isAhead(stamp, judging)) time = after(stamp);
    while (this.#taken.has(keyOf(source, time))) time = after(time);
    this.#take(keyOf(source, time));
    return time;
  }

  #take(key: string): void {
    this.#taken.add(key);
    if (this.#taken.size <= MOST_STAMPS) return;
    for (const oldest of this.#taken) {
      this.#taken.delete(oldest);
      return;
    }
  }
}

/** Short, however long the tags are. */
function keyOf(source: Source, time: string): string {
  return `${time} ${createHash('sha1').update(seriesOf(source)).digest('base64')}`;
}

function after(time: string): string {
  return String(BigInt(time) + 1n);
}
