import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CompressedFile } from './aside';
import { HOURS, startOf, type Day } from './days';
import { DaySums, isSameHour, pointsOf, type HourLines, type HourSum } from './hours';
import { copyName } from './layout';
import type { DayCopy } from './manifest';
import { CopyFault, proveSum, readHours } from './read-copy';
import type { DayReader, Omitted } from './read-day';

export interface CopyTask {
  /** Of the bucket. */
  directory: string;
  day: Day;
  reader: DayReader;
  /** The copy that there is. */
  old: DayCopy | undefined;
  /** Make the copy anew, even if nothing has changed. */
  full: boolean;
  /** What InfluxDB holds replaces the copy, even where it holds less. */
  shrink: boolean;
  signal: AbortSignal;
  /** Is told how many points were read from InfluxDB. */
  read: (points: number) => void;
}

export interface CopyResult {
  /** `empty`: there is nothing to copy. */
  kind: 'copied' | 'unchanged' | 'empty';
  /** The copy that there is now. */
  copy?: DayCopy;
  /** Hours that stay in the copy as they were because InfluxDB holds fewer points of them, and how many it lacks. */
  missing: ReadonlyMap<number, number>;
  /** Points of the day that line protocol cannot carry, with the reason for one of them. */
  omitted?: Omission;
  /** The old copy cannot be used: why. */
  fault?: string;
}

export interface Omission {
  points: number;
  reason: string;
}

const ALL: ReadonlySet<number> = new Set(Array.from({ length: HOURS }, (_, hour) => hour));

/**
 * Copies a day if it differs from its copy in any line. An hour of which InfluxDB holds fewer points than the copy stays in
 * the copy as it was: points that have expired, or were deleted by mistake, must not vanish from it too.
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
    const { size } = await stat(join(directory, file));
    return size === bytes ? undefined : `${file} has ${size} bytes, not ${bytes}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return `${file} is missing`;
    throw error;
  }
}

async function copyAgainst(task: CopyTask): Promise<CopyResult> {
  const { old, day, full, shrink } = task;
  const began = new Date().toISOString();
  const lacking = (hours: readonly HourSum[], of: Iterable<number>): Map<number, number> => {
    const missing = new Map<number, number>();
    for (const hour of of) {
      const fewer = pointsOf(old?.hours[hour]) - pointsOf(hours[hour]);
      if (fewer > 0 && !shrink) missing.set(hour, fewer);
    }
    return missing;
  };
  const missing = new Map<number, number>();
  const fresh = new Set(ALL);
  // Counted by what reads the whole day, and that comes first.
  let omitted: Omission | undefined;
  if (old && !full && wasOver(day, old)) {
    // Most days that are over stay as they are: to look costs the disk of the copies nothing.
    const now = await sumUp(task);
    omitted = now.omitted;
    for (const [hour, points] of lacking(now.hours, ALL)) missing.set(hour, points);
    for (const hour of ALL) if (missing.has(hour) || isSameHour(now.hours[hour], old.hours[hour])) fresh.delete(hour);
  }
  while (fresh.size > 0) {
    const made = await writeCopy(task, fresh);
    if (fresh.size === HOURS) omitted = made.omitted;
    const shrunk = lacking(made.copy.hours, fresh);
    if (shrunk.size === 0) return { ...(await settle(task, made, missing)), ...(omitted && { omitted }) };
    await made.file.discard();
    for (const [hour, points] of shrunk) {
      missing.set(hour, points);
      fresh.delete(hour);
    }
  }
  const copy = old && { ...old, checked: began };
  return { kind: 'unchanged', ...(copy && { copy }), missing, ...(omitted && { omitted }) };
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
  let omitted: Omission | undefined;
  const omit: Omitted = (points, reason) => (omitted = { points: (omitted?.points ?? 0) + points, reason });
  for await (const lines of reader.read(day, ALL, omit)) {
    sums.add(lines);
    read(lines.points);
  }
  return { hours: sums.hours(), omitted };
}

interface Made {
  file: CompressedFile;
  copy: DayCopy;
  /** Of the hours from InfluxDB. */
  omitted: Omission | undefined;
}

/** A file with these hours from InfluxDB and the others from the old copy; still aside. */
async function writeCopy(task: CopyTask, fresh: ReadonlySet<number>): Promise<Made> {
  const { directory, day, old, reader, signal, read } = task;
  const sums = new DaySums();
  const began = new Date().toISOString();
  const file = await CompressedFile.create(directory, `${day}.lp.gz`);
  try {
    const add = async (lines: HourLines): Promise<void> => {
      sums.add(lines);
      await file.write(lines.text);
    };
    const kept = new Set([...ALL].filter((hour) => !fresh.has(hour) && pointsOf(old?.hours[hour]) > 0));
    if (old && kept.size > 0) await readHours(directory, day, old, kept, add, signal);
    let omitted: Omission | undefined;
    const omit: Omitted = (points, reason) => (omitted = { points: (omitted?.points ?? 0) + points, reason });
    for await (const lines of reader.read(day, fresh, omit)) {
      await add(lines);
      read(lines.points);
    }
    const { bytes, sha256 } = await file.finish();
    const copy: DayCopy = {
      file: copyName(day, sha256),
      points: sums.points,
      bytes,
      sha256,
      first: String(sums.first),
      last: String(sums.last),
      // What comes while it is read may be missing in it.
      written: began,
      checked: began,
      hours: sums.hours(),
    };
    return { file, copy, omitted };
  } catch (error) {
    await file.discard();
    throw error;
  }
}

async function settle(task: CopyTask, { file, copy }: Made, missing: ReadonlyMap<number, number>): Promise<CopyResult> {
  const { old, full } = task;
  if (copy.points === 0) {
    await file.discard();
    return { kind: 'empty', missing };
  }
  const isSame = old?.hours.every((hour, index) => isSameHour(hour, copy.hours[index])) ?? false;
  if (old && isSame && !full) {
    await file.discard();
    return { kind: 'unchanged', copy: { ...old, checked: copy.checked }, missing };
  }
  try {
    await file.place(copy.file);
  } catch (error) {
    await file.discard();
    throw error;
  }
  return { kind: 'copied', copy, missing };
}
