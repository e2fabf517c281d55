/** A UTC day: `2026-07-01`. */
export type Day = string;

export const HOURS = 24;
const SECOND = 1_000_000_000n;
const HOUR = 3600n * SECOND;
const DAY = 24n * HOUR;
const DAY_MILLISECONDS = 86_400_000;

/** The day of a time in nanoseconds since 1970. */
export function dayOf(time: bigint): Day {
  const days = time >= 0n ? time / DAY : -((-time + DAY - 1n) / DAY);
  return new Date(Number(days) * DAY_MILLISECONDS).toISOString().slice(0, 10);
}

/** The day of a time in milliseconds since 1970. */
export function dayOfMilliseconds(milliseconds: number): Day {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

/** The first nanosecond of a day, or of an hour of it; hour 24 is the end of the day. */
export function startOf(day: Day, hour = 0): bigint {
  return BigInt(Date.parse(`${day}T00:00:00Z`)) * 1_000_000n + BigInt(hour) * HOUR;
}

/** The hour of a day that a time lies in: 0 to 23 for times of that day. */
export function hourOf(time: bigint, start: bigint): number {
  const since = time - start;
  return since < 0n ? -1 : Number(since / HOUR);
}

export function isDay(text: string): text is Day {
  const milliseconds = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : NaN;
  // JavaScript takes February 30 for March 2.
  return !Number.isNaN(milliseconds) && dayOfMilliseconds(milliseconds) === text;
}

/** The day before. */
export function previousDay(day: Day): Day {
  return dayOfMilliseconds(Date.parse(`${day}T00:00:00Z`) - DAY_MILLISECONDS);
}

/** A stretch of time in nanoseconds since 1970: from the first one to, but not with, the second. Open where undefined. */
export interface TimeRange {
  from?: bigint | undefined;
  to?: bigint | undefined;
}

export function touches(day: Day, { from, to }: TimeRange): boolean {
  return (from === undefined || startOf(day, HOURS) > from) && (to === undefined || startOf(day) < to);
}

export function covers(range: TimeRange, time: bigint): boolean {
  return (range.from === undefined || time >= range.from) && (range.to === undefined || time < range.to);
}
