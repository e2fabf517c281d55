import { reasonOf } from '../errors';
import type { Day } from './days';
import { ProgressReport, type Progress } from './progress';
import { CopyFault, proveCopy } from './read-copy';
import { selectCopies, type BucketCopies, type Selection } from './select';

export interface VerifyOptions extends Selection {
  signal: AbortSignal;
  progress?: (progress: Progress) => void;
}

export interface VerifyReport {
  bucket: string;
  /** Days whose copies are good. */
  days: number;
  /** Points of these days. */
  points: number;
  /** What is wrong, a day each; without a day: with the manifest. */
  faults: { day?: Day; reason: string }[];
}

/**
 * Proves copies without writing anything: sums, counts, and that every line can be read.
 *
 * @throws Error when there are none, or the directory cannot be read
 */
export async function verifyCopies(options: VerifyOptions): Promise<VerifyReport[]> {
  const progress = new ProgressReport('verify', options.progress ?? (() => undefined));
  const selected = await selectCopies(options);
  if (selected.length === 0) throw new Error(`there is no copy in ${options.directory}`);
  return proveAll(selected, options.signal, progress);
}

export async function proveAll(
  selected: readonly BucketCopies[],
  signal: AbortSignal,
  progress: ProgressReport,
): Promise<VerifyReport[]> {
  const reports: VerifyReport[] = [];
  for (const { bucket, directory, days, fault } of selected) {
    const report: VerifyReport = { bucket, days: 0, points: 0, faults: [] };
    reports.push(report);
    if (fault !== undefined) report.faults.push({ reason: fault });
    for (const { day, copy } of days) {
      progress.begin(bucket, day);
      try {
        await proveCopy(directory, day, copy, signal, (points) => progress.add(points));
        report.days += 1;
        report.points += copy.points;
      } catch (error) {
        signal.throwIfAborted();
        report.faults.push({
          day,
          reason: error instanceof CopyFault ? `${copy.file} ${error.message}` : reasonOf(error),
        });
      }
    }
  }
  return reports;
}
