import type { Alarm } from './alarm';
import { isActive } from './machine';
import { alarmOf, type AlarmRecord } from './record';

/** How many alarms are raised, silent, and not yet acknowledged though they are either. */
export interface Totals {
  raised: number;
  silent: number;
  unacknowledged: number;
}

/** What is raised or silent, the longest standing first. */
export function activeOf(records: Iterable<AlarmRecord>): Alarm[] {
  const active = [...records].filter(isActive).map(alarmOf);
  return active.sort((one, other) => one.since - other.since);
}

export function totalsOf(records: Iterable<AlarmRecord>): Totals {
  const totals = { raised: 0, silent: 0, unacknowledged: 0 };
  for (const record of records) {
    if (!isActive(record)) continue;
    if (record.state === 'raised') totals.raised += 1;
    if (record.silent) totals.silent += 1;
    if (!record.acknowledged) totals.unacknowledged += 1;
  }
  return totals;
}
