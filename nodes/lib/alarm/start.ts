import type { Clock } from './clock';
import type { Listening } from './listening';
import { delayOf, type Delays } from './machine';
import type { AlarmRecord } from './record';
import { resume, silentAt, SILENT_AFTER } from './silence';

/** A deadline that goes on after the start: it began at `from`, by the steady clock. */
export interface GoingOn {
  id: string;
  length: number;
  from: number;
}

/**
 * Changes of state that must last, in the order in which they began. A raise goes on; a clear begins anew, as nobody knows
 * yet what the device has said meanwhile: the broker may still have it.
 */
export function turnsUnderWay(records: Iterable<AlarmRecord>, delays: Delays, clock: Clock): GoingOn[] {
  const now = clock.steady();
  const turns: GoingOn[] = [];
  for (const record of records) {
    if (record.turning === undefined) continue;
    const length = delayOf(record, delays);
    const over = record.active ? clock.wall() - record.turning.from : 0;
    turns.push({ id: record.source.topic, length, from: now - within(over, length) });
  }
  return inOrder(turns);
}

/** From whom something is expected, in order, and the records that have changed by that; see {@link resume}. */
export function waitsGoingOn(
  records: Iterable<AlarmRecord>,
  intervalOf: (topic: string) => number | undefined,
  listening: Listening,
  clock: Clock,
): { waits: GoingOn[]; resumed: AlarmRecord[] } {
  const now = clock.steady();
  const to = clock.wall();
  const waits: GoingOn[] = [];
  const resumed: AlarmRecord[] = [];
  for (const record of records) {
    const { source, interval, silent, forgotten } = record;
    if (silent || forgotten === true || interval === undefined || interval !== intervalOf(source.topic)) continue;
    if (resume(record, interval, listening.gapOf(record, to))) resumed.push(record);
    const length = interval * SILENT_AFTER;
    waits.push({ id: source.topic, length, from: now - length + within(silentAt(record, interval) - to, length) });
  }
  return { waits: inOrder(waits), resumed };
}

/** Whatever the clock has done meanwhile: not more than all of the time, and not less than nothing. */
function within(time: number, length: number): number {
  return Math.min(Math.max(time, 0), length);
}

function inOrder(goingOn: GoingOn[]): GoingOn[] {
  return goingOn.sort((one, other) => one.from - other.from);
}
