import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { reasonOf } from '../errors';
import { checkLine, LineFault } from '../influx/parse-line';
import { HOURS, hourOf, startOf, type Day } from './days';
import { DaySums, isSameHour, type HourLines, type HourSum } from './hours';
import { LineSplitter, LONGEST_LINE, timeOf } from './lines';
import type { DayCopy } from './manifest';
import { NotRegular, openRegular } from './regular-file';

/** A copy that is not as it was made: missing, cut off, changed. Nothing of it should be used. */
export class CopyFault extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CopyFault';
  }
}

/** Hands lines over in portions; the next one is read when `use` is done. */
type Use = (lines: readonly string[]) => void | Promise<void>;

/**
 * Reads the lines of a copy to its end, in bounded memory, and then judges its sum: what was made of the lines before must
 * not count when it throws.
 *
 * @param from - the first byte; there, and where `to` is, the file was cut while it was written
 * @returns the SHA-256 of the file
 * @throws CopyFault, what `use` throws, what the file system says, or the signal's reason
 */
async function readLines(path: string, use: Use, signal: AbortSignal, from = 0, to = Infinity): Promise<string> {
  const hash = createHash('sha256');
  const summing = new Transform({
    transform(part: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      hash.update(part);
      done(null, part);
    },
  });
  let failed: { error: unknown } | undefined;
  const splitter = new LineSplitter();
  const decoder = new StringDecoder('utf8');
  const takeApart = async (parts: AsyncIterable<Buffer>): Promise<void> => {
    for await (const part of parts) {
      try {
        await use(splitter.push(decoder.write(part)));
        if (splitter.held > LONGEST_LINE) throw new CopyFault('holds what is no line: it does not end');
      } catch (error) {
        failed = { error };
        throw error;
      }
    }
  };
  try {
    const stream = (await openRegular(path)).createReadStream({ start: from, end: to - 1 });
    await pipeline(stream, summing, createGunzip(), takeApart, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (failed) throw failed.error;
    throw faultOf(path, error);
  }
  if (splitter.isWithin) throw new CopyFault('ends within a line');
  return hash.digest('hex');
}

/** What fails for the moment, such as a disk that does not answer, says nothing about the copy: it may be good. */
function faultOf(path: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  const cause = { cause: error };
  if (code === 'ENOENT') return new CopyFault('is missing', cause);
  if (error instanceof NotRegular) return new CopyFault(error.message, cause);
  if (code === 'Z_BUF_ERROR') return new CopyFault('is cut off', cause);
  if (code?.startsWith('Z_')) return new CopyFault(`is damaged: ${reasonOf(error)}`, cause);
  return new Error(`${path} cannot be read: ${reasonOf(error)}`, cause);
}

/** The lines of a copy that lie in the hours; its sum is judged at the end. */
export async function readHours(
  directory: string,
  day: Day,
  copy: Pick<DayCopy, 'file' | 'sha256'>,
  hours: ReadonlySet<number>,
  use: (lines: HourLines) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const start = startOf(day);
  const path = join(directory, copy.file);
  const sha256 = await readLines(
    path,
    async (lines) => {
      for (const portion of byHour(lines, start)) if (hours.has(portion.hour)) await use(portion);
    },
    signal,
  );
  if (sha256 !== copy.sha256) throw new CopyFault('does not have the sum that the manifest tells');
}

/** The lines of a file that is being written, between two places where it was cut. */
export async function readPart(path: string, from: number, to: number, use: Use, signal: AbortSignal): Promise<void> {
  if (to === from) return;
  try {
    await readLines(path, use, signal, from, to);
  } catch (error) {
    // It is no copy yet.
    throw error instanceof CopyFault ? new Error(`${path} ${error.message}`, { cause: error }) : error;
  }
}

/** The lines of a copy; its sum is judged at the end. */
export async function readCopy(directory: string, copy: DayCopy, use: Use, signal: AbortSignal): Promise<void> {
  const sha256 = await readLines(join(directory, copy.file), use, signal);
  if (sha256 !== copy.sha256) throw new CopyFault('does not have the sum that the manifest tells');
}

/**
 * Proves that a file is what was written, without reading its lines.
 *
 * @throws CopyFault, what the file system says, or the signal's reason
 */
export async function proveSum(directory: string, { file, sha256 }: DayCopy, signal: AbortSignal): Promise<void> {
  const path = join(directory, file);
  const hash = createHash('sha256');
  try {
    await pipeline((await openRegular(path)).createReadStream(), hash, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(path, error);
  }
  if (hash.digest('hex') !== sha256) throw new CopyFault('does not have the sum that the manifest tells');
}

function nobody(): void {
  // nobody wants to know
}

/** What a file holds. */
export interface Scan {
  sha256: string;
  points: number;
  first: bigint;
  last: bigint;
  hours: HourSum[];
}

/**
 * Reads a file to its end and takes every line apart.
 *
 * @param options - `most`: it must not hold more points; `read`: is told how many points were read
 * @throws CopyFault, or what the file system says
 */
export async function scanFile(
  path: string,
  day: Day,
  signal: AbortSignal,
  { most = Infinity, read = nobody }: { most?: number; read?: ((points: number) => void) | undefined } = {},
): Promise<Scan> {
  const start = startOf(day);
  const sums = new DaySums();
  const sha256 = await readLines(
    path,
    (lines) => {
      for (const [index, line] of lines.entries()) requireLine(line, sums.points + index + 1);
      for (const portion of byHour(lines, start)) sums.add(portion);
      // What goes on and on needs not be read to its end.
      if (sums.points > most) throw new CopyFault(`has more than ${most} points`);
      read(lines.length);
    },
    signal,
  );
  const { points, first, last } = sums;
  if (first === undefined || last === undefined) throw new CopyFault('holds no point');
  return { sha256, points, first, last, hours: sums.hours() };
}

/** Says where it is wrong and not what stands there: it may be the content of another file. */
function requireLine(line: string, number: number): void {
  try {
    checkLine(line);
  } catch (error) {
    const where = error instanceof LineFault ? `: ${error.position} of it` : '';
    throw new CopyFault(`holds what is no line protocol, line ${number}${where}`);
  }
}

function timeInCopy(line: string): bigint {
  try {
    return timeOf(line);
  } catch (error) {
    throw new CopyFault('holds a line without a time', { cause: error });
  }
}

/** @throws CopyFault for a line without a time, or of another day */
export function* byHour(lines: readonly string[], start: bigint): Generator<HourLines> {
  let portion: HourLines | undefined;
  for (const line of lines) {
    const time = timeInCopy(line);
    const hour = hourOf(time, start);
    if (hour < 0 || hour >= HOURS) throw new CopyFault('holds a point of another day');
    if (portion?.hour === hour) {
      portion.lines.push(line);
      if (time < portion.first) portion.first = time;
      if (time > portion.last) portion.last = time;
      continue;
    }
    if (portion) yield portion;
    portion = { hour, lines: [line], first: time, last: time };
  }
  if (portion) yield portion;
}

/**
 * Proves a copy: it is all there, is what was written, and each of its lines can be read.
 *
 * @throws CopyFault whose message continues a sentence that begins with the file, or what the file system says
 */
export async function proveCopy(
  directory: string,
  day: Day,
  copy: DayCopy,
  signal: AbortSignal,
  read?: (points: number) => void,
): Promise<void> {
  const scan = await scanFile(join(directory, copy.file), day, signal, { most: copy.points, read });
  if (scan.sha256 !== copy.sha256) throw new CopyFault('does not have the sum that the manifest tells');
  if (scan.points !== copy.points) throw new CopyFault(`has ${scan.points} points, not ${copy.points}`);
  const isSame = copy.hours.every((hour, index) => isSameHour(hour, scan.hours[index]));
  if (!isSame || String(scan.first) !== copy.first || String(scan.last) !== copy.last) {
    throw new CopyFault('has other points than the manifest tells');
  }
}
