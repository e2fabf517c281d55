import type { Change } from './alarm';
import type { AlarmRecord } from './record';

/** A change that has left the node. */
export interface Left {
  record: AlarmRecord;
  change: Change;
  /** When, by the steady clock. */
  at: number;
}

/** Milliseconds after which a change that has left the node is taken to have arrived: influx-write has it on disk by then. */
const ARRIVED_AFTER = 1000;

/** Changes that have left the node and may not have arrived, in the order in which they left. */
export class Leaving {
  #changes: Left[] = [];

  add(record: AlarmRecord, changes: readonly Change[], at: number): void {
    for (const change of changes) this.#changes.push({ record, change, at });
  }

  /** When the first has surely arrived; Infinity when there is none. */
  next(): number {
    const [first] = this.#changes;
    return first === undefined ? Infinity : first.at + ARRIVED_AFTER;
  }

  /** Nothing is owed any more of what has arrived by now. Returns whose that was. */
  settle(now: number): AlarmRecord[] {
    const end = this.#changes.findIndex(({ at }) => at + ARRIVED_AFTER > now);
    const arrived = this.#changes.splice(0, end < 0 ? this.#changes.length : end);
    const changes = new Set(arrived.map(({ change }) => change));
    const records = [...new Set(arrived.map(({ record }) => record))];
    for (const record of records) record.owed = record.owed.filter((change) => !changes.has(change));
    return records;
  }

  /** Takes off all that may not have arrived. */
  takeAll(): Left[] {
    return this.#changes.splice(0);
  }
}
