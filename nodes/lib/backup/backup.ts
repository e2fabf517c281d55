import { reasonOf } from '../errors';
import type { QuerySource } from '../influx/query';
import { Copies } from './copies';
import { copyDay, type CopyResult } from './copy-day';
import { dayOf, dayOfMilliseconds, previousDay, startOf, touches, type Day, type TimeRange } from './days';
import { keepLatest } from './keep';
import { bucketDirectory } from './layout';
import type { MissingPoints } from './manifest';
import { ProgressReport, type Progress } from './progress';
import { DayReader, type Omission, type Unreadable } from './read-day';
import { interrupted, isDone } from './resume';

export interface BackupOptions {
  source: QuerySource;
  /** Where the data of the source is; copies of another place are left alone. */
  place: string;
  /** Of the server whose buckets are copied. */
  directory: string;
  /** With the retention in seconds. */
  buckets: ReadonlyMap<string, { readonly retention: number }>;
  /** Only days in this range; where it is open, from the start of the bucket's retention, and to the next day. */
  range?: TimeRange;
  /** So many days of each bucket are kept; 0: all. */
  keep: number;
  /** Make all copies anew. */
  full?: boolean;
  /** What InfluxDB holds replaces the copies, even where it holds less. */
  shrink?: boolean;
  /** The copies are of this source, though they were made when its place was another. */
  hasMoved?: boolean;
  /** Points that are remembered at once while copies are compared with InfluxDB. */
  mostPoints?: number;
  signal: AbortSignal;
  progress?: (progress: Progress) => void;
}

/** What a backup has done for one bucket. */
export interface BucketReport {
  bucket: string;
  /** Days that were looked at. */
  days: number;
  /** Days that were copied, the latest first. */
  copied: Day[];
  /** Points and bytes of the days that were copied. */
  points: number;
  bytes: number;
  /** Days whose copies went, because newer ones are kept. */
  removed: Day[];
  /** Points that are in the copies but not in InfluxDB any more, though they have not expired. */
  missing: number;
  /** Of which measurements they are, the most first; the name is empty for those of many others. */
  missingOf: { measurement: string; points: number }[];
  /** What line protocol cannot carry. */
  omitted?: Omission;
  /** Older copies that were not as they should be. */
  faults: string[];
  /** What InfluxDB holds and cannot give out, so that it is not in the copies. */
  unreadable: Unreadable[];
  /** Why the bucket was not backed up to the end. */
  error?: string;
}

/**
 * Makes the copies equal to what InfluxDB holds. Every day of the range is read and compared with its copy, line by line and by
 * sums, and copied if it differs, whoever has written the points and however late: nothing is guessed from counts or
 * clocks. What fails in one bucket does not stop the others.
 */
export async function backUp(options: BackupOptions): Promise<BucketReport[]> {
  const progress = new ProgressReport('backup', options.progress ?? (() => undefined));
  const reports: BucketReport[] = [];
  for (const [bucket, { retention }] of options.buckets) {
    const report = newReport(bucket);
    reports.push(report);
    try {
      await backUpBucket(options, retention, report, progress);
    } catch (error) {
      options.signal.throwIfAborted();
      report.error = reasonOf(error);
    }
  }
  return reports;
}

function newReport(bucket: string): BucketReport {
  return {
    bucket,
    days: 0,
    copied: [],
    points: 0,
    bytes: 0,
    removed: [],
    missing: 0,
    missingOf: [],
    faults: [],
    unreadable: [],
  };
}

async function backUpBucket(
  options: BackupOptions,
  retention: number,
  report: BucketReport,
  progress: ProgressReport,
): Promise<void> {
  const { bucket } = report;
  const directory = bucketDirectory(options.directory, bucket);
  const { place, hasMoved = false, signal } = options;
  const copies = await Copies.open(directory, bucket, place, hasMoved, signal, (fault) => report.faults.push(fault));
  const { manifest } = copies;
  const continued = interrupted(manifest);
  manifest.unfinished = continued ?? new Date().toISOString();
  await copies.save();
  try {
    await backUpDays(options, retention, copies, continued, report, progress);
  } catch (error) {
    options.signal.throwIfAborted();
    // The next one looks at every day, also at those before one that always fails.
    delete manifest.unfinished;
    // The disk may be what has failed; the first error tells more.
    await copies.save().catch(() => undefined);
    throw error;
  }
  delete manifest.unfinished;
  await copies.save();
  report.removed = await keepLatest(copies, options.keep, options.signal);
}

/** @param continued - when the backup began that goes on now, if one does */
async function backUpDays(
  options: BackupOptions,
  retention: number,
  copies: Copies,
  continued: string | undefined,
  report: BucketReport,
  progress: ProgressReport,
): Promise<void> {
  const { signal, keep } = options;
  const { bucket } = report;
  const { directory, manifest } = copies;
  const reader = new DayReader(options.source, bucket, signal);
  const missing = new Map<string, number>();
  let kept = 0;
  try {
    for (const day of daysToLookAt({ from: options.range?.from ?? expiredBefore(retention), to: options.range?.to })) {
      if (keep > 0 && kept >= keep) break;
      signal.throwIfAborted();
      const old = manifest.days[day];
      if (!old || options.full === true || continued === undefined || !isDone(day, old, continued)) {
        progress.begin(bucket, day);
        const { full = false, shrink = false, mostPoints } = options;
        const read = (points: number): void => progress.add(points);
        const result = await copyDay({ directory, day, reader, old, full, shrink, signal, read, mostPoints });
        await settle(copies, day, result, options, report);
      }
      report.days += 1;
      const copy = manifest.days[day];
      if (copy) kept += 1;
      // Asked each time: hours expire while a long backup goes on.
      addMissing(missing, day, copy?.missing ?? {}, expiredBefore(retention));
    }
  } finally {
    report.missingOf = [...missing]
      .map(([measurement, points]) => ({ measurement, points }))
      .sort((one, other) => other.points - one.points);
    report.missing = report.missingOf.reduce((sum, { points }) => sum + points, 0);
    report.unreadable = reader.unreadable;
  }
}

/** Nanoseconds since 1970. */
function expiredBefore(retention: number): bigint {
  return BigInt(Date.now()) * 1_000_000n - BigInt(retention) * 1_000_000_000n;
}

/** The latest first: those are the ones that only InfluxDB has. Points may be dated a little ahead. */
function* daysToLookAt(range: TimeRange): Generator<Day> {
  const tomorrow = dayOfMilliseconds(Date.now() + 86_400_000);
  const last = range.to === undefined ? tomorrow : earlier(tomorrow, dayOf(range.to - 1n));
  for (let day = last; touches(day, range); day = previousDay(day)) yield day;
}

function earlier(one: Day, other: Day): Day {
  return one < other ? one : other;
}

async function settle(
  copies: Copies,
  day: Day,
  { kind, copy, omitted, fault }: CopyResult,
  { shrink = false }: BackupOptions,
  report: BucketReport,
): Promise<void> {
  if (fault !== undefined) report.faults.push(fault);
  if (omitted) {
    const { points = 0, fields = 0 } = report.omitted ?? {};
    report.omitted = { points: points + omitted.points, fields: fields + omitted.fields, reason: omitted.reason };
  }
  if (kind === 'empty') {
    if (shrink && fault === undefined) await copies.remove(day);
    return;
  }
  if (!copy) return;
  if (kind === 'unchanged') {
    await copies.note(day, copy);
    return;
  }
  await copies.replace(day, copy, fault !== undefined);
  report.copied.push(day);
  report.points += copy.points;
  report.bytes += copy.bytes;
}

/** Adds the points that InfluxDB should still have. */
function addMissing(sums: Map<string, number>, day: Day, missing: MissingPoints, expired: bigint): void {
  for (const [measurement, hours] of Object.entries(missing)) {
    for (const [hour, points] of hours) {
      if (startOf(day, hour) >= expired) sums.set(measurement, (sums.get(measurement) ?? 0) + points);
    }
  }
}
