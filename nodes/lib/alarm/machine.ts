import type { Change, ChangeEvent, Said } from './alarm';
import { alarmOf, type AlarmRecord } from './record';
import { SeenMessages } from './seen';
import type { Stamps } from './stamps';
import { isLater, rankOf, type Judging, type Verdict } from './verdict';

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

/** When something is noticed, and what the registry says of its topic. */
export interface Moment extends Judging {
  stamps: Stamps;
}

/** What a change has beside its event: the signed time of the message that brought it, in nanoseconds; and by whom. */
interface Origin {
  signed?: string | undefined;
  by?: string | undefined;
}

const NANOSECONDS = 1_000_000n;

/** What a message means that counts as old: a copy of the newest continues the state, anything else is too late. */
export function meaningOfOld(record: AlarmRecord, { time, active }: Said): Meaning {
  const copy = time === record.newest && active !== undefined && active === record.active;
  return copy && record.forgotten !== true ? 'repeated' : 'outdated';
}

/**
 * Remembers that an alarm's message was here. Returns whether it was new. What counts as a copy of one from before those that
 * are remembered must not take their places.
 */
export function see(record: AlarmRecord, { time, active }: Said, verdict: Verdict): boolean {
  if (active === undefined || record.seen?.has(time, active) === true) return false;
  if (verdict === 'old' && record.seen !== undefined && !isLater(time, record.seen.faded)) return false;
  record.seen ??= new SeenMessages();
  record.seen.add(time, active);
  return true;
}

/** Takes in what a verified message says that counts; see {@link verdictOn}. */
export function takeIn(record: AlarmRecord, said: Said, verdict: Verdict, delays: Delays, at: Moment): Taken {
  const isLate = verdict === 'late';
  const changes: Change[] = [];
  if (record.silent) {
    record.silent = false;
    changes.push(change(record, 'returned', at, { signed: isLate ? undefined : said.time }));
  }
  delete record.forgotten;
  if (record.newest === '') record.since = milliseconds(said.time);
  const meaning = said.active === undefined ? alive(record) : decide(record, said, isLate, delays, at, changes);
  moveTo(record, said.time);
  record.reading = said.active === undefined;
  return { changes, meaning };
}

/** The newest time is this one, and those before it are not forgotten. */
function moveTo(record: AlarmRecord, time: string): void {
  const highest = record.highest ?? record.newest;
  if (isLater(highest, time)) record.highest = highest;
  else delete record.highest;
  record.newest = time;
}

function alive(record: AlarmRecord): Meaning {
  record.count += 1;
  return 'alive';
}

function decide(
  record: AlarmRecord,
  said: Said,
  isLate: boolean,
  delays: Delays,
  at: Moment,
  changes: Change[],
): Meaning {
  const { turning } = record;
  // The device's own times show that the state had lasted long enough, however late or close together they come here.
  if (turning !== undefined && lasted(turning.since, said.time) >= delayOf(record, delays)) {
    changes.push(turn(record, at));
  }
  record.active = said.active ?? false;
  if ((record.state === 'raised') === record.active) {
    delete record.turning;
    record.count += 1;
    if (record.active) weigh(record, said, isLate ? undefined : said.time, at, changes);
    else setSeverity(record, said);
    return 'repeated';
  }
  if (record.active) setSeverity(record, said);
  if (record.turning === undefined) record.turning = { since: said.time, from: at.now, count: 1 };
  else {
    record.turning.count += 1;
    if (isLater(record.turning.since, said.time)) record.turning.since = said.time;
  }
  if (isLate) record.turning.isLate = true;
  if (delayOf(record, delays) === 0) changes.push(turn(record, at));
  return 'pending';
}

function setSeverity(record: AlarmRecord, { severity }: Said): void {
  if (severity === undefined) delete record.severity;
  else record.severity = severity;
}

/** The severity of what is raised. A rise has to be acknowledged anew; what says none leaves it as it is. */
function weigh(record: AlarmRecord, said: Said, signed: string | undefined, at: Moment, changes: Change[]): void {
  if (said.severity === undefined || said.severity === record.severity) return;
  const rise = rankOf(said.severity, at) - rankOf(record.severity, at);
  record.severity = said.severity;
  if (rise > 0) record.acknowledged = false;
  if (rise !== 0) changes.push(change(record, rise > 0 ? 'escalated' : 'eased', at, { signed }));
}

/** The delay that the change under way has to last. */
export function delayOf(record: AlarmRecord, delays: Delays): number {
  return record.active ? delays.on : delays.off;
}

/** The change under way has lasted long enough: the alarm is what its newest message says. */
export function turn(record: AlarmRecord, at: Moment): Change {
  const { active, turning = { since: record.newest, from: at.now, count: 1 } } = record;
  const { since, from, count, isLate } = turning;
  record.state = active ? 'raised' : 'cleared';
  record.since = isLate ? Math.floor(from) : milliseconds(since);
  record.count = count;
  delete record.turning;
  if (active) record.acknowledged = false;
  return change(record, active ? 'raised' : 'cleared', at, { signed: isLate ? undefined : since });
}

/** Nothing has come for too long. */
export function fallSilent(record: AlarmRecord, at: Moment): Change {
  record.silent = true;
  record.acknowledged = false;
  return change(record, 'silent', at);
}

export function acknowledge(record: AlarmRecord, by: string | undefined, at: Moment): Change {
  record.acknowledged = true;
  return change(record, 'acknowledged', at, { by });
}

/** Nobody has cleared it for as long as the registry allows. A repetition raises it anew; a copy does not. */
export function expire(record: AlarmRecord, at: Moment): Change {
  record.state = 'cleared';
  record.active = false;
  record.since = Math.floor(at.now);
  record.count = 0;
  delete record.turning;
  return change(record, 'cleared', at, { by: 'clear_after' });
}

/** The alarm is over because somebody says so: its device is gone. What it has sent so far stays outdated. */
export function forget(record: AlarmRecord, by: string | undefined, at: Moment): Change {
  record.state = 'cleared';
  record.acknowledged = false;
  record.silent = false;
  record.forgotten = true;
  delete record.turning;
  return change(record, 'forgotten', at, { by });
}

export function isActive({ state, silent }: { state: string; silent: boolean }): boolean {
  return state === 'raised' || silent;
}

function change(record: AlarmRecord, event: ChangeEvent, at: Moment, { signed, by }: Origin = {}): Change {
  record.changed = at.now;
  record.stamp = at.stamps.next(record, signed ?? String(BigInt(Math.floor(at.now)) * NANOSECONDS), at);
  return { event, alarm: alarmOf(record), time: record.stamp, ...(by !== undefined && { by }) };
}

/** Milliseconds between two signed times. */
function lasted(since: string, until: string): number {
  return Number(BigInt(until) - BigInt(since)) / 1e6;
}

function milliseconds(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / NANOSECONDS);
}
