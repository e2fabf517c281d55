import type { Change } from './alarm';
import type { Clock } from './clock';
import { Deadlines } from './deadlines';
import { expire, forget, type Moment } from './machine';
import type { AlarmRecord } from './record';
import type { TopicRules } from './rules';

/** Milliseconds after which what is silent is forgotten, unless it is raised: thirty days. */
export const FORGET_SILENT = 30 * 86_400_000;

/** Milliseconds at least between two looks at what is to be stored of the times that are left. */
const LOOK = 60_000;
/** A time that is left is stored when such a part of it has passed since the last time. */
const PART = 1 / 50;

export interface EndingsOptions {
  clock: Clock;
  rulesOf(topic: string): TopicRules;
  get(id: string): AlarmRecord | undefined;
  /** Stores these, some time. */
  put(records: AlarmRecord[]): void;
  wakeBy(moment: number): void;
}

/**
 * What ends by itself: an alarm that nobody clears, where the registry has `clear_after`, and a silence that nobody will end.
 * Only time in which this node runs counts, by the steady clock. So no clock that was set ends an alarm, and neither does a
 * time in which nobody could hear that it goes on.
 */
export class Endings {
  readonly #options: EndingsOptions;
  readonly #deadlines = new Deadlines();
  #endWait: (() => void) | undefined;
  #closed = false;

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  /** Goes on where the times were left, in order. */
  takeUp(records: Iterable<AlarmRecord>): void {
    const now = this.#options.clock.steady();
    const waits: { record: AlarmRecord; length: number; left: number }[] = [];
    for (const record of records) {
      const length = this.#lengthOf(record);
      if (length === undefined) delete record.left;
      else waits.push({ record, length, left: Math.min(Math.max(record.left ?? length, 0), length) });
    }
    waits.sort((one, other) => one.left - one.length - (other.left - other.length));
    for (const { record, length, left } of waits) {
      this.#deadlines.start(record.source.topic, length, now - length + left);
      record.left = left;
    }
    this.#look();
  }

  /**
   * The alarm has changed, or the registry has.
   *
   * @param anew - it has said again that it is active: its time begins anew
   */
  set(record: AlarmRecord, anew: boolean): void {
    const { topic } = record.source;
    const length = this.#lengthOf(record);
    if (length === undefined) {
      this.stop(topic);
      delete record.left;
      return;
    }
    if (!anew && this.#deadlines.lengthOf(topic) === length) return;
    const now = this.#options.clock.steady();
    this.#deadlines.start(topic, length, now);
    record.left = length;
    this.#options.wakeBy(now + length);
    this.#look();
  }

  stop(topic: string): void {
    this.#deadlines.stop(topic);
    if (this.#endWait === undefined || this.#deadlines.next() < Infinity) return;
    this.#endWait();
    this.#endWait = undefined;
  }

  next(): number {
    return this.#deadlines.next();
  }

  /** What ends by now. */
  take(now: number): { key: string; at: number; happens: (record: AlarmRecord, at: Moment) => Change }[] {
    return this.#deadlines.take(now).map((due) => ({ ...due, happens: end }));
  }

  /** Stores how much time is left of each. */
  close(): void {
    this.#closed = true;
    this.#endWait?.();
    this.#store(0);
  }

  #lengthOf(record: AlarmRecord): number | undefined {
    if (record.active && record.state === 'raised') return this.#options.rulesOf(record.source.topic).clearAfter;
    return record.silent && record.state === 'cleared' ? FORGET_SILENT : undefined;
  }

  #look(): void {
    if (this.#endWait !== undefined || this.#closed || this.#deadlines.next() === Infinity) return;
    const pause = Math.max(LOOK, PART * this.#deadlines.shortest());
    this.#endWait = this.#options.clock.after(pause, () => {
      this.#endWait = undefined;
      this.#store(PART);
      this.#look();
    });
  }

  #store(part: number): void {
    const now = this.#options.clock.steady();
    const changed: AlarmRecord[] = [];
    for (const key of this.#deadlines.keys()) {
      const record = this.#options.get(key);
      const left = this.#deadlines.leftOf(key, now);
      if (record === undefined || left === undefined) continue;
      const least = part * (this.#deadlines.lengthOf(key) ?? 0);
      if ((record.left ?? Infinity) - left < Math.max(least, 1)) continue;
      record.left = left;
      changed.push(record);
    }
    if (changed.length > 0) this.#options.put(changed);
  }
}

function end(record: AlarmRecord, at: Moment): Change {
  return record.state === 'raised' ? expire(record, at) : forget(record, 'silence', at);
}
