import { seriesOf } from './alarm';
import type { AlarmStore } from './alarm-store';
import type { AlarmRecord } from './record';

const NANOSECONDS = 1_000_000n;

/** Two nodes can have the same topics, with other delays: they share the stamps, as they share the store. */
const shared = new WeakMap<AlarmStore, Stamps>();

/** Gives each change of a series a time of its own: InfluxDB would take two rows of one series and time for one. */
export class Stamps {
  /** The newest time of each series that has changed. */
  readonly #newest = new Map<string, bigint>();

  static of(store: AlarmStore): Stamps {
    const stamps = shared.get(store) ?? new Stamps();
    shared.set(store, stamps);
    return stamps;
  }

  /** No change of these series is to get a time that one of them had. */
  learn(records: Iterable<AlarmRecord>): void {
    for (const record of records) {
      if (record.stamp === '0') continue;
      const series = seriesOf(record.source);
      const stamp = BigInt(record.stamp);
      if (stamp > (this.#newest.get(series) ?? 0n)) this.#newest.set(series, stamp);
    }
  }

  /**
   * The time of a change.
   *
   * @param now - milliseconds since 1970
   */
  next({ source, stamp }: AlarmRecord, now: number): string {
    const series = seriesOf(source);
    let time = BigInt(Math.floor(now)) * NANOSECONDS;
    // The clock may have been put back, and the alarm may have come from another series.
    for (const before of [this.#newest.get(series) ?? 0n, BigInt(stamp)]) if (time <= before) time = before + 1n;
    this.#newest.set(series, time);
    return String(time);
  }
}
