import type { Change, ChangeEvent, Said } from './alarm';
import { alarmOf, type AlarmRecord } from './record';
import type { Stamps } from './stamps';

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

/** When something is noticed. */
export interface Moment {
  /** Milliseconds since 1970. */
  now: number;
  stamps: Stamps;
}

const NANOSECONDS = 1_000_000n;

/**
 * Whether a message says something newer than what is known: alarms move forward in signed time only. Of two messages of the
 * same time the one that says `active: true` is the newer, so that a device whose clock knows only seconds can say `false` and
 * then `true` in one of them.
 */
export function isNewer(record: AlarmRecord, { time, active }: Said): boolean {
  if (time !== record.newest) return isLater(time, record.newest);
  return active === true && !record.active;
}

/** What a message means that is not newer: a copy continues the state, anything else is too late. */
export function meaningOfOld(record: AlarmRecord, { time, active }: Said): Meaning {
  const copy = time === record.newest && active !== undefined && active === record.active;
  return copy && record.forgotten !== true ? 'repeated' : 'outdated';
}

/** Takes in what a verified message says that {@link isNewer}. */
export function takeIn(record: AlarmRecord, said: Said, delays: Delays, at: Moment): Taken {
  const changes: Change[] = [];
  if (record.silent) {
    record.silent = false;
    changes.push(change(record, 'returned', at));
  }
  delete record.forgotten;
  if (record.newest === '') record.since = milliseconds(said.time);
  const meaning = said.active === undefined ? alive(record) : decide(record, said, delays, at, changes);
  record.newest = said.time;
  record.reading = said.active === undefined;
  return { changes, meaning };
}

function alive(record: AlarmRecord): Meaning {
  record.count += 1;
  return 'alive';
}

function decide(record: AlarmRecord, said: Said, delays: Delays, at: Moment, changes: Change[]): Meaning {
  const { turning } = record;
  // The device's own times show that the state had lasted long enough, however late or close together they come here.
  if (turning !== undefined && lasted(turning.since, said.time) >= delayOf(record, delays)) {
    changes.push(turn(record, at));
  }
  record.active = said.active ?? false;
  if (said.severity === undefined) delete record.severity;
  else record.severity = said.severity;

  if ((record.state === 'raised') === record.active) {
    delete record.turning;
    record.count += 1;
    return 'repeated';
  }
  if (record.turning === undefined) record.turning = { since: said.time, from: at.now, count: 1 };
  else record.turning.count += 1;
  if (delayOf(record, delays) === 0) changes.push(turn(record, at));
  return 'pending';
}

/** The delay that the change under way has to last. */
export function delayOf(record: AlarmRecord, delays: Delays): number {
  return record.active ? delays.on : delays.off;
}

/** The change under way has lasted long enough: the alarm is what its newest message says. */
export function turn(record: AlarmRecord, at: Moment): Change {
  const { turning, active } = record;
  record.state = active ? 'raised' : 'cleared';
  record.since = milliseconds(turning?.since ?? record.newest);
  record.count = turning?.count ?? 1;
  delete record.turning;
  if (active) record.acknowledged = false;
  return change(record, active ? 'raised' : 'cleared', at);
}

/** Nothing has come for too long. */
export function fallSilent(record: AlarmRecord, at: Moment): Change {
  record.silent = true;
  record.acknowledged = false;
  return change(record, 'silent', at);
}

export function acknowledge(record: AlarmRecord, by: string | undefined, at: Moment): Change {
  record.acknowledged = true;
  return change(record, 'acknowledged', at, by);
}

/** The alarm is over because somebody says so: its device is gone. What it has sent so far stays outdated. */
export function forget(record: AlarmRecord, by: string | undefined, at: Moment): Change {
  record.state = 'cleared';
  record.acknowledged = false;
  record.silent = false;
  record.forgotten = true;
  delete record.turning;
  return change(record, 'forgotten', at, by);
}

export function isActive({ state, silent }: { state: string; silent: boolean }): boolean {
  return state === 'raised' || silent;
}

function change(record: AlarmRecord, event: ChangeEvent, { now, stamps }: Moment, by?: string): Change {
  record.changed = now;
  record.stamp = stamps.next(record, now);
  return { event, alarm: alarmOf(record), time: record.stamp, ...(by !== undefined && { by }) };
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
