import type { AlarmRecord } from './record';

/**
 * A device counts as silent when nothing has come for its interval and half of it again. So one that is a little late is
 * not reported, and one that stops is, half an interval after its message was due.
 */
export const SILENT_AFTER = 1.5;

/** The part of an interval by which a message may be late. */
const MARGIN = SILENT_AFTER - 1;

/** The time in which nobody listened, in milliseconds since 1970. */
export interface Gap {
  /** Until when somebody has listened. */
  from: number;
  /** Since when somebody listens again. */
  to: number;
  /** Whether all that had come by then is known: not if the process was killed, see listening.ts. */
  isExact: boolean;
}

/** Something new has come, and the next is expected within the interval, if there is one. */
export function hear(record: AlarmRecord, interval: number | undefined, now: number): void {
  record.heard = now;
  setInterval(record, interval);
  if (record.patience !== undefined) delete record.patience;
}

/** The registry has another interval for the topic than before: it begins now. */
export function expectWithin(record: AlarmRecord, interval: number | undefined, now: number): void {
  setInterval(record, interval);
  if (interval === undefined) delete record.patience;
  else record.patience = now + SILENT_AFTER * interval;
}

function setInterval(record: AlarmRecord, interval: number | undefined): void {
  if (interval === undefined) delete record.interval;
  else if (record.interval !== interval) record.interval = interval;
}

/** The clock was set: what was heard so long ago still was, by the new time. */
export function moveClock(record: AlarmRecord, by: number): void {
  record.heard += by;
  if (record.patience !== undefined) record.patience += by;
  if (record.turning !== undefined) record.turning.from += by;
}

/** When it counts as silent, in milliseconds since 1970. */
export function silentAt({ heard, patience }: AlarmRecord, interval: number): number {
  return patience ?? heard + SILENT_AFTER * interval;
}

/**
 * Goes on waiting after a time in which nobody has listened. That must neither make devices silent which have spoken
 * meanwhile, nor hide those which are, however often it happens:
 *
 * - What is not due yet keeps its time.
 * - What fell due while nobody listened may have come unheard. So it is expected one interval from now; but once: at the
 *   next start this time is kept.
 * - What was late already keeps what was left of its margin when listening ended, so that a deploy does not put it off;
 *   and after a longer time has at least as much as that, up to the whole margin, once.
 *
 * @returns whether the record has changed
 */
export function resume(record: AlarmRecord, interval: number, { from, to, isExact }: Gap): boolean {
  // The clock may have been put back.
  const until = Math.min(from, to);
  const { patience } = record;
  if (patience !== undefined) {
    if (patience > to) return false;
    // It would have been over while nobody listened: what was left of it then is left now.
    record.patience = to + Math.max(patience - until, 0);
    return true;
  }
  const due = record.heard + interval;
  if (due >= to) return false;
  const left = silentAt(record, interval) - until;
  const wasLate = isExact && due <= until;
  record.patience = to + (wasLate ? Math.max(left, Math.min(to - until, MARGIN * interval)) : SILENT_AFTER * interval);
  return true;
}
