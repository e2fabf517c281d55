import type { Said } from './alarm';
import type { AlarmRecord } from './record';

/**
 * How a message stands to what is known of its alarm:
 *
 * - `newer`: by its signed time.
 * - `late`: it counts although it is signed before the newest, as a clock was or is wrong.
 * - `old`: it changes nothing; a copy, a replay, or overtaken.
 */
export type Verdict = 'newer' | 'late' | 'old';

export interface Judging {
  /** Milliseconds since 1970. */
  now: number;
  /** Milliseconds by which a signed time may be ahead of now. */
  future: number;
  /** From the least to the greatest. */
  severities: readonly string[];
}

/**
 * Alarms move forward in signed time, and a message that was seen before changes nothing. But clocks are wrong now and then,
 * and a wrong one must not mute an alarm. So these count too, unless they were seen before:
 *
 * - what shows that the clock by which the newest message was signed was ahead, see {@link isCorrected};
 * - `active: true` where the newest time is beyond all that may be accepted now, or the alarm is not raised: nobody can tell
 *   whether its device's clock was put back or it was overtaken, and a missed alarm is worse than a false one. Only what may
 *   be a copy of a message longer ago than those that are remembered one by one does not count.
 *
 * Any other `active: false` that may be old clears nothing. Of two messages of one signed time, the one with `active: true`
 * is the newer, and of two of these the one with the greater severity: a device whose clock knows only seconds may say both.
 */
export function verdictOn(record: AlarmRecord, { time, active, severity }: Said, judging: Judging): Verdict {
  const { newest } = record;
  if (isLater(time, record.highest ?? newest)) return 'newer';
  const isSeen = active !== undefined && record.seen?.has(time, active) === true;
  if (time === newest && active === true) {
    if (!record.active && !isSeen) return 'newer';
    if (record.active && rankOf(severity, judging) > rankOf(record.severity, judging)) return 'newer';
  }
  if (isSeen || (time === newest && (active ?? record.active) === record.active)) return 'old';
  // The clock was put back before, and has moved forward since. Copies of readings are not known.
  if (isLater(time, newest)) {
    const counts = active ?? isSignedAfter(record, time);
    return counts || (active === false && !mayBeSeen(record, time, judging)) ? 'newer' : 'old';
  }
  if (isCorrected(record, time, judging)) return 'late';
  if (active !== true) return 'old';
  if (isAhead(newest, judging)) return 'late';
  const isUp = record.active && (record.state === 'raised' || record.turning !== undefined);
  return isUp || mayBeSeen(record, time, judging) ? 'old' : 'late';
}

/** Milliseconds by which the clock of a device must have been ahead. Less may be a message that was overtaken. */
const LEAST_LEAD = 5000;

/**
 * Whether the newest message was signed ahead of its arrival, and this one, which was signed after that arrival, less than
 * half as much ahead: so it is newer, as far as this clock is right.
 */
function isCorrected(record: AlarmRecord, time: string, { now }: Judging): boolean {
  const lead = millisecondsOf(record.newest) - record.heard;
  return lead > LEAST_LEAD && isSignedAfter(record, time) && millisecondsOf(time) - now < lead / 2;
}

/**
 * Whether it may be a copy of a message that is not remembered by itself any more. Those that were signed ahead of all that may
 * be accepted now say nothing about others.
 */
function mayBeSeen({ seen }: AlarmRecord, time: string, judging: Judging): boolean {
  const faded = seen?.faded ?? '';
  return !isLater(time, faded) && !isAhead(faded, judging);
}

/** Whether it was signed after the newest message was heard here, as far as this clock is right. */
function isSignedAfter({ heard }: AlarmRecord, time: string): boolean {
  return millisecondsOf(time) >= heard;
}

function millisecondsOf(time: string): number {
  return Number(time) / 1e6;
}

/** Whether a signed time is beyond all that may be accepted now. */
export function isAhead(time: string, { now, future }: Judging): boolean {
  return millisecondsOf(time) > now + future;
}

/** The place of a severity among those of the registry; below all of them for one that is not among them, or missing. */
export function rankOf(severity: string | undefined, { severities }: Judging): number {
  return severity === undefined ? -1 : severities.indexOf(severity);
}

/** Whether a time in nanoseconds, as digits without leading zeros, is after another. */
export function isLater(time: string, other: string): boolean {
  return time.length === other.length ? time > other : time.length > other.length;
}
