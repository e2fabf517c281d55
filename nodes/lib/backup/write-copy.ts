import { CompressedFile } from './aside';
import { HOURS, startOf, type Day } from './days';
import { DaySums, isSameHour, pointsOf, textOf, type HourLines, type HourSum } from './hours';
import { copyName } from './layout';
import { measurementOf } from './lines';
import type { DayCopy, MissingPoints } from './manifest';
import { PointSet } from './point-set';
import { byHour, readHours, readPart } from './read-copy';
import { Omissions, type DayReader, type Omission } from './read-day';

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
  /** Points that are remembered at once. */
  mostPoints?: number | undefined;
}

export interface Made {
  file: CompressedFile;
  copy: DayCopy;
  /** Of the hours from InfluxDB. */
  omitted: Omission | undefined;
}

export const ALL_HOURS: ReadonlySet<number> = new Set(Array.from({ length: HOURS }, (_, hour) => hour));

/** What InfluxDB had of an hour when it was last compared with its copy. */
export function seenOf({ hours, seen = [] }: DayCopy, hour: number): HourSum | undefined {
  const found = seen.find(([each]) => each === hour);
  return found ? found[1] : hours[hour];
}

/**
 * Writes a file with some hours from InfluxDB and the others from the old copy, still aside. A point of the old copy that
 * InfluxDB does not have any more goes into the new one too: it has expired, or was deleted by mistake. Where both have
 * a point, of one series and time, InfluxDB's counts.
 */
export async function writeCopy(task: CopyTask, fresh: ReadonlySet<number>): Promise<Made> {
  const { directory, day, old, reader, signal, read } = task;
  const began = new Date().toISOString();
  const file = await CompressedFile.create(directory, `${day}.lp.gz`);
  try {
    const sums = new DaySums();
    const add = async (lines: HourLines): Promise<void> => {
      sums.add(lines);
      await file.write(textOf(lines.lines));
    };
    const kept = new Set([...ALL_HOURS].filter((hour) => !fresh.has(hour) && pointsOf(old?.hours[hour]) > 0));
    if (old && kept.size > 0) await readHours(directory, day, old, kept, add, signal);
    const from = await file.cut();
    const now = new DaySums();
    const omissions = new Omissions();
    for await (const lines of reader.read(day, fresh, omissions.add)) {
      now.add(lines);
      await add(lines);
      read(lines.lines.length);
    }
    const missing = await addMissing(task, { file, from, hours: now.hours(), fresh, add });
    const { bytes, sha256 } = await file.finish();
    const hours = sums.hours();
    const seenNow = (hour: number): HourSum | undefined =>
      fresh.has(hour) ? now.hours()[hour] : old && seenOf(old, hour);
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
      hours,
      ...seenAndMissing(hours, seenNow, missing),
    };
    return { file, copy, omitted: omissions.sum };
  } catch (error) {
    await file.discard();
    throw error;
  }
}

function seenAndMissing(
  hours: readonly HourSum[],
  seenNow: (hour: number) => HourSum | undefined,
  missing: MissingPoints,
): Pick<DayCopy, 'seen' | 'missing'> {
  if (Object.keys(missing).length === 0) return {};
  const seen = [...ALL_HOURS].flatMap((hour): [number, HourSum][] => {
    const sum = seenNow(hour) ?? null;
    return isSameHour(sum, hours[hour]) ? [] : [[hour, sum]];
  });
  return { seen, missing };
}

interface Written {
  file: CompressedFile;
  /** Where in the file what InfluxDB has begins. */
  from: number;
  /** What that is. */
  hours: readonly HourSum[];
  fresh: ReadonlySet<number>;
  add: (lines: HourLines) => Promise<void>;
}

/**
 * Adds the points of the old copy that InfluxDB does not have. Only where its hour has changed are points compared.
 *
 * @returns all of the new file that InfluxDB does not have
 */
async function addMissing(task: CopyTask, { file, from, hours, fresh, add }: Written): Promise<MissingPoints> {
  const { directory, day, old, shrink, signal, mostPoints } = task;
  const missing = new MissingCount();
  if (!old || shrink) return missing.points;
  for (const [name, counts] of Object.entries(old.missing ?? {})) {
    for (const [hour, points] of counts) if (!fresh.has(hour)) missing.add(name, hour, points);
  }
  const changed = new Set(
    [...fresh].filter((hour) => pointsOf(old.hours[hour]) > 0 && !isSameHour(old.hours[hour], hours[hour])),
  );
  if (changed.size === 0) return missing.points;
  const to = await file.cut();
  const count = [...changed].reduce((sum, hour) => sum + pointsOf(hours[hour]), 0);
  for (const there of PointSet.sharing(count, mostPoints)) {
    const remember = (lines: readonly string[]): void => {
      for (const portion of byHour(lines, startOf(day))) {
        if (changed.has(portion.hour)) for (const line of portion.lines) there.add(line);
      }
    };
    await readPart(file.path, from, to, remember, signal);
    const addThose = async ({ hour, lines }: HourLines): Promise<void> => {
      for (const portion of byHour(
        lines.filter((line) => there.lacks(line)),
        startOf(day),
      )) {
        for (const line of portion.lines) missing.add(measurementOf(line), hour, 1);
        await add(portion);
      }
    };
    await readHours(directory, day, old, changed, addThose, signal);
  }
  return missing.points;
}

/** Measurements of a day that are told by name, and the longest of these names, so that the manifest stays small. */
const MOST_NAMES = 20;
const LONGEST_NAME = 200;

class MissingCount {
  readonly points: MissingPoints = Object.create(null) as MissingPoints;

  add(measurement: string, hour: number, points: number): void {
    const isKnown =
      this.points[measurement] !== undefined ||
      (measurement.length <= LONGEST_NAME && Object.keys(this.points).length < MOST_NAMES);
    const counts = (this.points[isKnown ? measurement : ''] ??= []);
    const count = counts.find(([each]) => each === hour);
    if (count) count[1] += points;
    else counts.push([hour, points]);
  }
}
