import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach } from 'vitest';
import { backUp, type BackupOptions, type BucketReport } from '../../../nodes/lib/backup/backup';
import { LineSplitter } from '../../../nodes/lib/backup/lines';
import type { QuerySource } from '../../../nodes/lib/influx/query';
import { MemorySource } from './memory-source';

export const DAY = 86_400_000_000_000n;
export const HOUR = 3_600_000_000_000n;
/** The start of the UTC day some days ago, in nanoseconds. */
export function daysAgo(days: number): bigint {
  return (BigInt(Math.floor(Date.now() / 86_400_000)) - BigInt(days)) * DAY;
}

export function dayText(days: number): string {
  return new Date(Number(daysAgo(days) / 1_000_000n)).toISOString().slice(0, 10);
}

export const never = new AbortController().signal;

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mqtt2influx-backup-'));
  directories.push(directory);
  return directory;
}

export const BUCKET = 'raw';

export async function backUpRaw(
  source: QuerySource,
  directory: string,
  more: Partial<BackupOptions> = {},
): Promise<BucketReport> {
  const buckets = new Map([[BUCKET, { retention: 10 * 86_400 }]]);
  const [report] = await backUp({ source, place: 'house', directory, buckets, keep: 0, signal: never, ...more });
  if (!report) throw new Error('no report');
  return report;
}

export function filesOf(directory: string): string[] {
  return readdirSync(join(directory, BUCKET)).sort();
}

/** All lines in the files of the copies. */
export function copiedLines(directory: string): string[] {
  const lines: string[] = [];
  for (const file of filesOf(directory)) {
    if (!file.endsWith('.lp.gz')) continue;
    lines.push(...new LineSplitter().push(gunzipSync(readFileSync(join(directory, BUCKET, file))).toString()));
  }
  return lines.sort();
}

/** Three days with points in some of their hours. */
export function filled(): MemorySource {
  const source = new MemorySource();
  for (const days of [1, 2, 5]) {
    for (let hour = 0n; hour < 24n; hour += 5n) {
      source.add(`climate,device=a,site=x v=${hour} ${daysAgo(days) + hour * HOUR + 1n}`);
      source.add(`climate,device=b s="a\nb \\"c=\\" d",v=1i ${daysAgo(days) + hour * HOUR}`);
    }
  }
  return source;
}
