import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { replaceFile } from './aside';
import type { Day } from './days';
import type { HourSum } from './hours';
import { isFolder, MANIFEST } from './layout';
import { manifestOf } from './manifest-schema';
import { NotRegular, readRegular } from './regular-file';

/** The copy of one day. */
export interface DayCopy {
  /** Name of the file. */
  file: string;
  points: number;
  /** Size of the file. */
  bytes: number;
  /** Of the file, in hexadecimal digits, as `sha256sum` prints it. */
  sha256: string;
  /** Times of the first and the last point: nanoseconds since 1970. */
  first: string;
  last: string;
  /** When it was made, and when InfluxDB was last seen to hold the same: ISO 8601. */
  written: string;
  checked: string;
  /** One for each hour, from 0. */
  hours: HourSum[];
  /** Hours of which the copy has more points than InfluxDB had, with what InfluxDB had. */
  seen?: [hour: number, sum: HourSum][];
  /** How many more, by measurement and hour. */
  missing?: MissingPoints;
}

/** Points that InfluxDB lacks, by measurement: `{"climate": [[5, 360]]}`. With the name `""`: those of further measurements. */
export type MissingPoints = Record<string, [hour: number, points: number][]>;

/** What a bucket's copies are; it is in `manifest.json`. */
export interface Manifest {
  version: 1;
  bucket: string;
  /** Where the data is that was copied: two servers must not share a folder. */
  place: string;
  /** When a backup began that has not come to its end: ISO 8601. */
  unfinished?: string;
  days: Record<Day, DayCopy>;
}

export type FoundManifest =
  { kind: 'found'; manifest: Manifest } | { kind: 'missing' } | { kind: 'damaged'; reason: string };

/** Enough for decades of days, and read within a fraction of a second. */
const MOST_BYTES = 16 * 1024 * 1024;
/** A manifest has eight levels; to parse millions of them takes seconds. */
const MOST_LEVELS = 16;
const BEFORE_SUM = '{"sha256":"';
const AFTER_SUM = '","manifest":';
const SUM_LENGTH = 64;

/** @throws Error when it cannot be read, or was made by a later release */
export async function readManifest(directory: string): Promise<FoundManifest> {
  const path = join(directory, MANIFEST);
  const damaged = (reason: string): FoundManifest => ({ kind: 'damaged', reason: `${path} ${reason}` });
  let bytes: Buffer | undefined;
  if (!(await isFolder(directory))) return { kind: 'missing' };
  try {
    bytes = await readRegular(path, MOST_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' };
    if (error instanceof NotRegular) return damaged(error.message);
    throw error;
  }
  if (!bytes) return damaged(`has more than ${MOST_BYTES} bytes`);
  const text = textWithSum(bytes);
  if (text === undefined) return damaged('does not fit its own sum');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What a parser says quotes what it has found; it may be of a file that is none of ours.
    return damaged('is not JSON');
  }
  if (isOfLaterRelease(value)) throw new Error(`${path} was made by a later release of this package`);
  const manifest = manifestOf(value);
  return typeof manifest === 'string' ? damaged(`is not a manifest: ${manifest}`) : { kind: 'found', manifest };
}

/** The text that the sum at its start is of, if it is. */
function textWithSum(bytes: Buffer): string | undefined {
  const start = BEFORE_SUM.length + SUM_LENGTH;
  const from = start + AFTER_SUM.length;
  const isFramed =
    bytes.toString('latin1', 0, BEFORE_SUM.length) === BEFORE_SUM &&
    bytes.toString('latin1', start, from) === AFTER_SUM &&
    bytes.at(-1) === CLOSING_BRACE;
  if (!isFramed || isTooDeep(bytes)) return undefined;
  const content = bytes.subarray(from, -1);
  const sum = bytes.toString('latin1', BEFORE_SUM.length, start);
  return sum === sumOf(content) ? content.toString() : undefined;
}

const CLOSING_BRACE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isTooDeep(bytes: Buffer): boolean {
  let level = 0;
  let isInText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (isInText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInText = false;
    } else if (byte === QUOTE) isInText = true;
    // Brackets and braces differ in one bit: [ and {, ] and }.
    else if ((byte | 0x20) === 0x7b) {
      level += 1;
      if (level > MOST_LEVELS) return true;
    } else if ((byte | 0x20) === CLOSING_BRACE) level -= 1;
  }
  return false;
}

function isOfLaterRelease(value: unknown): boolean {
  const version = typeof value === 'object' && value !== null && (value as { version?: unknown }).version;
  return typeof version === 'number' && version > 1;
}

function sumOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** @throws what the file system says, or Error when it would be too large to be read again */
export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const content = JSON.stringify(manifest);
  const text = `${BEFORE_SUM}${sumOf(content)}${AFTER_SUM}${content}}`;
  if (Buffer.byteLength(text) > MOST_BYTES) {
    throw new Error(
      `${directory} has the copies of too many days for one manifest: keep fewer, or use another directory`,
    );
  }
  await replaceFile(join(directory, MANIFEST), text);
}

/** Days that have a copy, the earliest first. */
export function daysOf(manifest: Manifest): Day[] {
  return Object.keys(manifest.days).sort();
}
