import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { HOURS, startOf, type Day } from './days';
import { DaySums, isSameHour, type HourSum } from './hours';
import type { DayCopy } from './manifest';
import { CopyFault, proveSum } from './read-copy';
import { Omissions, type Omission } from './read-day';
import { ALL_HOURS, seenOf, writeCopy, type CopyTask, type Made } from './write-copy';

export interface CopyResult {
  /** `empty`: there is nothing to copy. */
  kind: 'copied' | 'unchanged' | 'empty';
  /** The copy that there is now. */
  copy?: DayCopy;
  /** What of the day line protocol cannot carry. */
  omitted?: Omission;
  /** The old copy cannot be used: why. */
  fault?: string;
}

/**
 * Copies a day if it differs from its copy in any line. Points that InfluxDB does not have any more stay in the copy: they have
 * expired, or were deleted by mistake, and must not vanish from it too.
 *
 * The result's file is in place; it counts only when the manifest names it.
 *
 * @throws QueryError, what the file system says, or the signal's reason; then everything is as it was
 */
export async function copyDay(task: CopyTask): Promise<CopyResult> {
  const { old } = task;
  const fault = old && (await faultOfSize(task.directory, old));
  if (!old || fault !== undefined) return withFault(fault, await copyAgainst({ ...task, old: undefined }));
  try {
    const result = await copyAgainst(task);
    // The file may have changed since: then it is made anew while InfluxDB still has the points.
    if (result.kind === 'unchanged') await proveSum(task.directory, old, task.signal);
    return result;
  } catch (error) {
    if (!(error instanceof CopyFault)) throw error;
    return withFault(`${old.file} ${error.message}`, await copyAgainst({ ...task, old: undefined }));
  }
}

function withFault(fault: string | undefined, result: CopyResult): CopyResult {
  return fault === undefined ? result : { ...result, fault };
}

async function faultOfSize(directory: string, { file, bytes }: DayCopy): Promise<string | undefined> {
  try {
    const found = await lstat(join(directory, file));
    if (!found.isFile()) return `${file} is not a regular file`;
    const { size } = found;
    return size === bytes ? undefined : `${file} has ${size} bytes, not ${bytes}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return `${file} is missing`;
    throw error;
  }
}

async function copyAgainst(task: CopyTask): Promise<CopyResult> {
  const { old, day, full } = task;
  if (!old || full || !wasOver(day, old)) return settle(task, await writeCopy(task, ALL_HOURS));
  // Most days that are over stay as they are: to look costs the disk of the copies nothing.
  const began = new Date().toISOString();
  const { hours, omitted } = await sumUp(task);
  const fresh = new Set([...ALL_HOURS].filter((hour) => !isAsItWas(task, old, hour, hours[hour])));
  if (fresh.size === 0) {
    return { kind: 'unchanged', copy: { ...old, checked: began }, ...(omitted && { omitted }) };
  }
  return settle(task, { ...(await writeCopy(task, fresh)), omitted });
}

function isAsItWas({ shrink }: CopyTask, old: DayCopy, hour: number, now: HourSum | undefined): boolean {
  return isSameHour(now, seenOf(old, hour)) && (!shrink || isSameHour(now, old.hours[hour]));
}

/** Whether the day had ended when its copy was last compared with InfluxDB. */
export function wasOver(day: Day, { checked }: DayCopy): boolean {
  return BigInt(Date.parse(checked)) * 1_000_000n >= startOf(day, HOURS);
}

interface Summary {
  hours: HourSum[];
  omitted: Omission | undefined;
}

async function sumUp({ reader, day, read }: CopyTask): Promise<Summary> {
  const sums = new DaySums();
  const omissions = new Omissions();
  for await (const lines of reader.read(day, ALL_HOURS, omissions.add)) {
    sums.add(lines);
    read(lines.lines.length);
  }
  return { hours: sums.hours(), omitted: omissions.sum };
}

async function settle({ old, full }: CopyTask, { file, copy, omitted }: Made): Promise<CopyResult> {
  const more = omitted && { omitted };
  if (copy.points === 0) {
    await file.discard();
    return { kind: 'empty', ...more };
  }
  const isSame = old?.hours.every((hour, index) => isSameHour(hour, copy.hours[index])) ?? false;
  if (old && isSame && !full) {
    await file.discard();
    const { file: name, bytes, sha256, written } = old;
    return { kind: 'unchanged', copy: { ...copy, file: name, bytes, sha256, written }, ...more };
  }
  try {
    await file.place(copy.file);
  } catch (error) {
    await file.discard();
    throw error;
  }
  return { kind: 'copied', copy, ...more };
}
