import { resolve } from 'node:path';
import { backUp, type BucketReport } from '../lib/backup/backup';
import { folderOf, requireDirectory } from '../lib/backup/layout';
import { listCopies, type BucketList } from '../lib/backup/list';
import type { Progress } from '../lib/backup/progress';
import { restoreCopies, type RestoreReport } from '../lib/backup/restore';
import { verifyCopies, type VerifyReport } from '../lib/backup/verify';
import { PackError } from '../lib/errors';
import type { InfluxServer } from '../lib/influx/server';
import type { Command } from './command';

/** What the commands work with. */
export interface Surroundings {
  connection: InfluxServer;
  /** Where the data of the server is. */
  place: string;
  /** The registry's buckets, with their retention in seconds; throws while there is no running registry. */
  buckets: () => ReadonlyMap<string, { readonly retention: number }>;
  /** For the copies of all servers; it must exist. */
  directory: string;
  /** What the server's folder is named after. */
  serverName: string;
  /** Days kept of each bucket; 0: all. */
  keep: number;
  signal: AbortSignal;
  progress: (progress: Progress) => void;
}

/** What a command has done: the payload of the message that says it. */
export type Result = { milliseconds: number; /** Everything is as it should be. */ ok: boolean } & (
  | {
      command: 'backup';
      /** Days that were copied, and the points and bytes of their copies. */
      copied: number;
      points: number;
      bytes: number;
      /** Points that are in the copies and should be in InfluxDB, but are not. */
      missing: number;
      buckets: BucketReport[];
    }
  | { command: 'verify'; days: number; points: number; faults: number; buckets: VerifyReport[] }
  | {
      command: 'restore';
      dryRun: boolean;
      days: number;
      points: number;
      written: number;
      refused: number;
      buckets: RestoreReport[];
    }
  | { command: 'list'; days: number; points: number; bytes: number; buckets: BucketList[] }
);

/** A result, and what an operator must put right if anything. */
export interface Outcome {
  result: Result;
  failure?: string;
}

/** Where the copies of a server are. */
export function serverDirectory(directory: string, serverName: string): string {
  return resolve(directory, folderOf(serverName));
}

export async function perform(command: Command, surroundings: Surroundings): Promise<Outcome> {
  const began = performance.now();
  const { name, bucket, range, copiesOf = surroundings.serverName } = command;
  const { signal, progress } = surroundings;
  const selection = { directory: serverDirectory(surroundings.directory, copiesOf), bucket, range };
  const milliseconds = (): number => Math.round(performance.now() - began);
  await requireDirectory(surroundings.directory);
  switch (name) {
    case 'backup':
      return outcomeOfBackup(await runBackup(command, surroundings), milliseconds());
    case 'verify':
      return outcomeOfVerify(await verifyCopies({ ...selection, signal, progress }), milliseconds());
    case 'restore': {
      const { into, dryRun } = command;
      const server = surroundings.connection;
      const buckets = await restoreCopies({ ...selection, server, into, dryRun, signal, progress });
      return outcomeOfRestore(buckets, dryRun, milliseconds());
    }
    case 'list': {
      const buckets = await listCopies(selection);
      const days = sum(buckets, (each) => each.days.length);
      const points = sum(buckets, (each) => each.points);
      const bytes = sum(buckets, (each) => each.bytes);
      const faults = buckets.filter(({ fault }) => fault !== undefined);
      const ok = faults.length === 0;
      return { result: { command: name, ok, days, points, bytes, buckets, milliseconds: milliseconds() } };
    }
  }
}

function runBackup(command: Command, surroundings: Surroundings): Promise<BucketReport[]> {
  const { bucket, range, full, shrink, hasMoved } = command;
  const { connection: source, place, directory, serverName, keep, signal, progress } = surroundings;
  return backUp({
    source,
    place,
    directory: serverDirectory(directory, serverName),
    buckets: bucket === undefined ? surroundings.buckets() : new Map([[bucket, retentionOf(command, surroundings)]]),
    range,
    keep,
    full,
    shrink,
    hasMoved,
    signal,
    progress,
  });
}

function retentionOf({ bucket = '', range }: Command, { buckets }: Surroundings): { readonly retention: number } {
  const registered = buckets().get(bucket);
  if (registered) return registered;
  if (range.from !== undefined) return { retention: 0 };
  const reason = `the registry has no bucket "${bucket}": say by msg.from from which day on it is to be copied`;
  throw new PackError('backup-failed', reason);
}

function outcomeOfBackup(buckets: BucketReport[], milliseconds: number): Outcome {
  const failures = buckets.flatMap(({ bucket, error }) => (error === undefined ? [] : [`${bucket}: ${error}`]));
  const missing = sum(buckets, (each) => each.missing);
  const isWhole = buckets.every(
    ({ faults, omitted, unreadable }) => faults.length === 0 && (omitted?.points ?? 0) === 0 && unreadable.length === 0,
  );
  return {
    result: {
      command: 'backup',
      ok: failures.length === 0 && missing === 0 && isWhole,
      copied: sum(buckets, (each) => each.copied.length),
      points: sum(buckets, (each) => each.points),
      bytes: sum(buckets, (each) => each.bytes),
      missing,
      buckets,
      milliseconds,
    },
    ...(failures.length > 0 && { failure: failures.join('; ') }),
  };
}

function outcomeOfVerify(buckets: VerifyReport[], milliseconds: number): Outcome {
  const failures = buckets.flatMap(({ bucket, faults }) => faults.map(({ reason }) => `${bucket}: ${reason}`));
  const days = sum(buckets, (each) => each.days);
  const points = sum(buckets, (each) => each.points);
  const faults = failures.length;
  return {
    result: { command: 'verify', ok: faults === 0, days, points, faults, buckets, milliseconds },
    ...(faults > 0 && { failure: failures.join('; ') }),
  };
}

function outcomeOfRestore(buckets: RestoreReport[], dryRun: boolean, milliseconds: number): Outcome {
  const written = sum(buckets, (each) => each.written);
  const refused = sum(buckets, (each) => each.refused);
  const failed = buckets.find(({ error }) => error !== undefined);
  const failure =
    failed &&
    `${failed.bucket}: stopped after ${written} points; it can be done again from the start: ${failed.error ?? ''}`;
  return {
    result: {
      command: 'restore',
      ok: !failed && refused === 0,
      dryRun,
      days: sum(buckets, (each) => each.days.length),
      points: sum(buckets, (each) => each.points),
      written,
      refused,
      buckets,
      milliseconds,
    },
    ...(failure !== undefined && { failure }),
  };
}

function sum<T>(items: readonly T[], numberOf: (item: T) => number): number {
  return items.reduce((total, item) => total + numberOf(item), 0);
}
