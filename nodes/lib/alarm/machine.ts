import type { Change, ChangeEvent, Said } from './alarm';
import { alarmOf, type AlarmRecord } from './record';

/** Milliseconds that a change of state must last before it counts. */
export interface Delays {
  on: number;
  off: number;
}

/** What a message meant that brought no change: the state goes on, is about to change, or has nothing to do with it. */
export type Meaning = 'repeated' | 'pending' | 'alive' | 'outdated';

export interface Taken {
  changes: Change[];
  meaning: Meaning;
}

const NANOSECONDS = 1_000_000n;

/**
 * Takes in what a verified message says. The alarm moves forward in signed time only: a copy continues the state, and an
 * older message, or another one of the same time, changes nothing.
 *
 * @param now - milliseconds since 1970
 */
export function takeIn(record: AlarmRecord, said: Said, delays: Delays, now: number): Taken {
  if (!isLater(said.time, record.newest)) {
    const copy = said.time === record.newest && said.active !== undefined && said.active === record.active;
    return { changes: [], meaning: copy ? 'repeated' : 'outdated' };
  }
  const changes: Change[] = [];
  if (record.silent) {
    record.silent = false;
    changes.push(change(record, 'returned', now));
  }
  delete record.forgotten;
  if (record.newest === '') record.since = milliseconds(said.time);
  const meaning = said.active === undefined ? alive(record) : follow(record, said, delays, now, changes);
  record.newest = said.time;
  return { changes, meaning };
}

function alive(record: AlarmRecord): Meaning {
  record.count += 1;
  return 'alive';
}

function follow(record: AlarmRecord, said: Said, delays: Delays, now: number, changes: Change[]): Meaning {
  const { turning } = record;
  // The device's own times show that the state had lasted long enough, however late or close together they come here.
  if (turning !== undefined && lasted(turning.since, said.time) >= delayOf(record, delays)) {
    changes.push(turn(record, now));
  }
  record.active = said.active ?? false;
  if (said.severity === undefined) delete record.severity;
  else record.severity = said.severity;

  if ((record.state === 'raised') === record.active) {
    delete record.turning;
    record.count += 1;
    return 'repeated';
  }
  if (record.turning === undefined) record.turning = { since: said.time, from: now, count: 1 };
  else record.turning.count += 1;
  if (delayOf(record, delays) === 0) changes.push(turn(record, now));
  return 'pending';
}

/** The delay that the change under way has to last. */
export function delayOf(record: AlarmRecord, delays: Delays): number {
  return record.active ? delays.on : delays.off;
}

/** The change under way has lasted long enough: the alarm is what its newest message says. */
export function turn(record: AlarmRecord, now: number): Change {
  const { turning, active } = record;
  record.state = active ? 'raised' : 'cleared';
  record.since = milliseconds(turning?.since ?? record.newest);
  record.count = turning?.count ?? 1;
  delete record.turning;
  if (active) record.acknowledged = false;
  return change(record, active ? 'raised' : 'cleared', now);
}

/** Nothing has come for too long. */
export function fallSilent(record: AlarmRecord, now: number): Change {
  record.silent = true;
  record.acknowledged = false;
  return change(record, 'silent', now);
}

export function acknowledge(record: AlarmRecord, by: string | undefined, now: number): Change {
  record.acknowledged = true;
  return change(record, 'acknowledged', now, by);
}

/** The alarm is over because somebody says so: its device is gone. What it has sent so far stays outdated. */
export function forget(record: AlarmRecord, by: string | undefined, now: number): Change {
  record.active = false;
  record.state = 'cleared';
  record.acknowledged = false;
  record.silent = false;
  record.forgotten = true;
  delete record.turning;
  return change(record, 'forgotten', now, by);
}

export function isActive({ state, silent }: { state: string; silent: boolean }): boolean {
  return state === 'raised' || silent;
}

function change(record: AlarmRecord, event: ChangeEvent, now: number, by?: string): Change {
  record.changed = now;
  const next = BigInt(record.stamp) + 1n;
  const time = BigInt(Math.floor(now)) * NANOSECONDS;
  record.stamp = String(time > next ? time : next);
  const made: Change = { event, alarm: alarmOf(record), time: record.stamp, ...(by !== undefined && { by }) };
  record.owed.push(made);
  return made;
}

/** Whether a time in nanoseconds, as digits without leading zeros, is after another. */
function isLater(time: string, other: string): boolean {
  return time.length === other.length ? time > other : time.length > other.length;
}

/** Milliseconds between two signed times. */
function lasted(since: string, until: string): number {
  return Number(BigInt(until) - BigInt(since)) / 1e6;
}

function milliseconds(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / NANOSECONDS);
}
