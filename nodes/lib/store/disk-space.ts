import { lstat, statfs, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Bytes of the disk that no new point may use. LevelDB needs room to take points *off* the queue as well (a removal is
 * written too, and up to some 40 MB of tables are rewritten before the old ones go), so a disk that is filled to the last
 * byte could never be drained again.
 */
const RESERVE = 64 * 1024 * 1024;

/** Of a small disk, no more than this part is kept back. */
const RESERVED_PART = 0.25;

/** Size that LevelDB's own diary may reach; at thousands of points a second it grows by megabytes a day. */
const INFO_LOG_LIMIT = 1024 * 1024;

/** Why nothing may be added to the disk that holds `directory`; undefined: there is room, or it cannot be told. */
export async function spaceProblem(directory: string): Promise<string | undefined> {
  let disk;
  try {
    disk = await statfs(directory);
  } catch {
    return undefined; // not every file system can say; a write will tell
  }
  const free = disk.bavail * disk.bsize;
  const reserve = Math.min(RESERVE, disk.blocks * disk.bsize * RESERVED_PART);
  return free < reserve
    ? `only ${megabytes(free)} MB are free on the disk, ${megabytes(reserve)} MB are needed`
    : undefined;
}

/** Empties the file LOG in which LevelDB notes what it does, when it has grown large. LevelDB goes on writing to it. */
export async function trimInfoLog(directory: string): Promise<void> {
  const path = join(directory, 'LOG');
  try {
    // Space used, not length: after emptying, LevelDB goes on where it was and leaves a hole before that.
    const found = await lstat(path);
    if (found.isFile() && found.blocks * 512 > INFO_LOG_LIMIT) await truncate(path, 0);
  } catch {
    return; // it may just be renamed, or locked on Windows; the next round finds it
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
