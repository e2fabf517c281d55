import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../errors';
import { findRefused, type Verdict } from '../influx/refused-lines';
import { Backoff, RETRY } from '../influx/retry';
import { BATCH_BYTES, type InfluxServer } from '../influx/server';
import { Suspicion } from '../influx/suspicion';
import { covers, type Day, type TimeRange } from './days';
import { timeOf } from './lines';
import { ProgressReport, type Progress } from './progress';
import { CopyFault, readCopy } from './read-copy';
import { selectCopies, type BucketCopies, type Selection } from './select';
import { proveAll } from './verify';

export interface RestoreOptions extends Selection {
  server: Pick<InfluxServer, 'write' | 'batchLines'>;
  /** The bucket to write to; default: the one that each copy is of. */
  into?: string | undefined;
  /** Check everything, write nothing. */
  dryRun?: boolean | undefined;
  signal: AbortSignal;
  progress?: (progress: Progress) => void;
  /** Attempts to reach a server that is away or overloaded before giving up. Default: {@link ATTEMPTS}. */
  attempts?: number;
}

export interface RestoreReport {
  bucket: string;
  into: string;
  days: Day[];
  /** Points of the copies that lie in the range. In a dry run: that would be written. */
  points: number;
  /** Points that InfluxDB has taken. */
  written: number;
  refused: number;
  /** Some of the lines that were refused, with InfluxDB's reason. */
  refusals: { line: string; reason: string }[];
  /** What was not done, and why: it can be done again from the start. */
  error?: string;
}

/** With the waits between them about five minutes. */
const ATTEMPTS = 10;
const REFUSALS_REPORTED = 10;

/**
 * Writes copies back. All of them are proven before the first line is written. Points that InfluxDB holds already are
 * overwritten by those of the copies; others stay.
 *
 * @throws Error when a copy is not good, with nothing written, or the signal's reason
 */
export async function restoreCopies(options: RestoreOptions): Promise<RestoreReport[]> {
  const { signal, range = {}, into } = options;
  const selected = await selectCopies(options);
  const faults = (await proveAll(selected, signal, new ProgressReport('verify', options.progress ?? nobody))).flatMap(
    ({ bucket, faults: found }) => found.map(({ reason }) => `${bucket}: ${reason}`),
  );
  if (faults.length > 0) throw new Error(`nothing was written, because a copy is not good: ${faults.join('; ')}`);
  if (selected.every(({ days }) => days.length === 0)) throw new Error(`there is no such copy in ${options.directory}`);
  const progress = new ProgressReport('restore', options.progress ?? nobody);
  const reports: RestoreReport[] = [];
  for (const copies of selected) {
    const report: RestoreReport = {
      bucket: copies.bucket,
      into: into ?? copies.bucket,
      days: [],
      points: 0,
      written: 0,
      refused: 0,
      refusals: [],
    };
    reports.push(report);
    await restoreBucket(copies, range, new Restoring(options, report, progress));
    if (report.error !== undefined) break;
  }
  return reports;
}

function nobody(): void {
  // nobody wants to know
}

async function restoreBucket(copies: BucketCopies, range: TimeRange, restoring: Restoring): Promise<void> {
  for (const { day, copy } of copies.days) {
    restoring.begin(day);
    const use = async (lines: readonly string[]): Promise<void> => {
      for (const line of lines) if (covers(range, timeOf(line))) await restoring.add(line);
    };
    try {
      await readCopy(copies.directory, copy, use, restoring.signal);
      await restoring.flush();
    } catch (error) {
      restoring.signal.throwIfAborted();
      // It was good a moment ago, but its volume may be gone by now.
      restoring.fail(error instanceof CopyFault ? `${copy.file} ${error.message}` : reasonOf(error));
    }
    if (restoring.hasFailed) return;
  }
}

/** The way of lines back into one bucket. */
class Restoring {
  readonly signal: AbortSignal;
  readonly #options: RestoreOptions;
  readonly #report: RestoreReport;
  readonly #progress: ProgressReport;
  #lines: string[] = [];
  #bytes = 0;
  readonly #suspicion: Suspicion;

  constructor(options: RestoreOptions, report: RestoreReport, progress: ProgressReport) {
    this.signal = options.signal;
    this.#options = options;
    this.#report = report;
    this.#progress = progress;
    this.#suspicion = new Suspicion({
      write: (line) => options.server.write(report.into, line, options.signal),
      isUp: () => Promise.resolve(false),
      nextLine: () => Promise.resolve(undefined),
      patience: 1,
    });
  }

  get hasFailed(): boolean {
    return this.#report.error !== undefined;
  }

  fail(reason: string): void {
    this.#report.error = reason;
  }

  begin(day: Day): void {
    this.#report.days.push(day);
    this.#progress.begin(this.#report.bucket, day);
  }

  async add(line: string): Promise<void> {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#bytes + bytes > BATCH_BYTES) await this.flush();
    this.#lines.push(line);
    this.#bytes += bytes;
    if (this.#lines.length >= this.#options.server.batchLines) await this.flush();
  }

  async flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    if (lines.length === 0 || this.hasFailed) return;
    this.#report.points += lines.length;
    if (this.#options.dryRun !== true) await this.#write(lines);
    this.#progress.add(lines.length);
  }

  async #write(lines: readonly string[]): Promise<void> {
    try {
      this.#suspicion.begin(lines);
      const refused = await findRefused(lines, await this.#send(lines), (some) => this.#send(some));
      this.#report.written += lines.length - refused.length;
      this.#report.refused += refused.length;
      for (const { index, reason } of refused) {
        if (this.#report.refusals.length >= REFUSALS_REPORTED) break;
        this.#report.refusals.push({ line: lines[index] ?? '', reason });
      }
    } catch (error) {
      if (!(error instanceof NotWritten)) throw error;
      this.#report.error = error.message;
    }
  }

  async #send(lines: readonly string[]): Promise<Verdict> {
    const { server, signal, attempts = ATTEMPTS } = this.#options;
    const backoff = new Backoff(RETRY);
    const body = lines.join('\n');
    for (let attempt = 1; ; attempt++) {
      const outcome = await server.write(this.#report.into, body, signal);
      if (outcome.kind !== 'retry' && outcome.kind !== 'configuration') {
        this.#suspicion.hasStored(outcome.kind === 'written' ? lines : []);
        return outcome;
      }
      const { reason } = outcome;
      // Lines must not keep those behind them from coming back.
      if (await this.#suspicion.isOfLines(lines, outcome)) return { kind: 'refused', reason };
      if (outcome.kind === 'configuration' && !this.#suspicion.isFounded) throw new NotWritten(reason);
      if (attempt >= attempts) throw new NotWritten(reason);
      const retryAfter = outcome.kind === 'retry' ? outcome.retryAfter : undefined;
      await sleep(backoff.next(retryAfter), undefined, { signal });
    }
  }
}

/** InfluxDB cannot be written to; the message says why. */
class NotWritten extends Error {}
