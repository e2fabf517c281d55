import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../errors';
import { replaceFile } from './aside';
import type { Day } from './days';
import type { HourSum } from './hours';
import { MANIFEST } from './layout';

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

function sumOf(manifest: unknown): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
}

/** @throws Error when it cannot be read, or was made by a later release */
export async function readManifest(directory: string): Promise<FoundManifest> {
  const path = join(directory, MANIFEST);
  const found = await readAnyManifest(path);
  if (found.kind === 'found' && (found.manifest.version as number) !== 1) {
    throw new Error(`${path} was made by a later release of this package`);
  }
  return found;
}

async function readAnyManifest(path: string): Promise<FoundManifest> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' };
    throw error;
  }
  try {
    const { sha256, manifest } = JSON.parse(text) as { sha256?: unknown; manifest?: Manifest };
    if (manifest === undefined || sha256 !== sumOf(manifest)) {
      return { kind: 'damaged', reason: `${path} does not fit its own sum` };
    }
    return { kind: 'found', manifest };
  } catch (error) {
    return { kind: 'damaged', reason: `${path} is damaged: ${reasonOf(error)}` };
  }
}

export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  await replaceFile(join(directory, MANIFEST), JSON.stringify({ sha256: sumOf(manifest), manifest }));
}

/** Days that have a copy, the earliest first. */
export function daysOf(manifest: Manifest): Day[] {
  return Object.keys(manifest.days).sort();
}
