import { wasOver } from './copy-day';
import type { Day } from './days';
import type { DayCopy, Manifest } from './manifest';

/** A backup that was interrupted less long ago than this goes on where it was; in milliseconds. */
const CONTINUE_WITHIN = 3_600_000;

/** When the interrupted backup began that goes on now: ISO 8601. Undefined: there is none, so the next one begins anew. */
export function interrupted({ unfinished, days }: Manifest): string | undefined {
  if (unfinished === undefined || !isPast(unfinished)) return undefined;
  const seen = Object.values(days).flatMap(({ checked }) => (isPast(checked) ? [Date.parse(checked)] : []));
  const last = seen.reduce((one, other) => Math.max(one, other), Date.parse(unfinished));
  return Date.now() - last < CONTINUE_WITHIN ? unfinished : undefined;
}

/** Whether the backup has looked at the day before it was interrupted. */
export function isDone(day: Day, copy: DayCopy, began: string): boolean {
  return copy.checked >= began && isPast(copy.checked) && wasOver(day, copy);
}

/** What a clock that was ahead has written down tells nothing. */
function isPast(time: string): boolean {
  return Date.parse(time) <= Date.now();
}
