import { wasOver } from './copy-day';
import type { Day } from './days';
import type { DayCopy, Manifest } from './manifest';

/** A backup that was interrupted less long ago than this goes on where it was; in milliseconds. */
const CONTINUE_WITHIN = 3_600_000;

/** When the backup began that goes on now: ISO 8601. */
export function beginning({ unfinished, days }: Manifest): string {
  const now = new Date();
  if (unfinished === undefined) return now.toISOString();
  const checked = Object.values(days).map((copy) => Date.parse(copy.checked));
  const last = checked.reduce((one, other) => Math.max(one, other), Date.parse(unfinished));
  return now.getTime() - last < CONTINUE_WITHIN ? unfinished : now.toISOString();
}

/** Whether the backup has looked at the day before it was interrupted. */
export function isDone(day: Day, copy: DayCopy, began: string): boolean {
  return copy.checked >= began && wasOver(day, copy);
}
