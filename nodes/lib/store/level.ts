import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { blankOutLogs, innermost, inspect, kindOfFault, setAside, type Damage } from './damage';
import { REPAIRED_KEY } from './keys';

export type Level = ClassicLevel<string, Buffer>;

/** Files of the store were damaged, and have been repaired. */
export interface DamageReport {
  reason: string;
  /** Folder with the files as they were found. */
  copy: string;
}

/**
 * By folder: why a store must be repaired, until it is, and the copy that was made before the first attempt. Known to the
 * process, not to a store: whoever tries again to open a store that could not be repaired makes no further copies.
 */
const distrusted = new Map<string, { reason: string; copy?: string }>();

/** Has the store repaired before it is opened the next time. */
export function distrustLevel(directory: string, reason: string): void {
  if (!distrusted.has(directory)) distrusted.set(directory, { reason });
}

/** A repair has been tried, and was not possible. */
export function isBeyondRepair(directory: string): boolean {
  return distrusted.get(directory)?.copy !== undefined;
}

/**
 * Opens the LevelDB in a folder, new or not; one that is damaged is repaired first.
 *
 * @param onRepaired - called before the promise resolves.
 */
export async function openLevel(directory: string, onRepaired: (report: DamageReport) => void): Promise<Level> {
  const found = await inspect(directory);
  if (found === 'new') return start(directory, { createIfMissing: true });
  const known = distrusted.get(directory);
  if (known === undefined && found === undefined) {
    try {
      return await start(directory, { createIfMissing: false });
    } catch (error) {
      if (kindOfFault(error) !== 'damaged') throw error;
      return mend(directory, { reason: innermost(error).message, repair: true, logs: [] }, onRepaired);
    }
  }
  // Nobody else may have it open while its files are changed.
  await assertUnlocked(directory);
  const damage = {
    reason: '',
    repair: false,
    logs: [],
    ...found,
    ...(known && { reason: known.reason, repair: true }),
  };
  return mend(directory, damage, onRepaired);
}

async function mend(directory: string, damage: Damage, onRepaired: (report: DamageReport) => void): Promise<Level> {
  // The files are kept before anything is changed: a repair throws away what it cannot read.
  const copy = distrusted.get(directory)?.copy ?? (await setAside(directory));
  distrusted.set(directory, { reason: damage.reason, copy });
  await blankOutLogs(directory, damage.logs);
  if (damage.repair) {
    await ClassicLevel.repair(directory);
    await rm(join(directory, 'lost'), { recursive: true, force: true });
  }
  const level = await start(directory, { createIfMissing: true });
  try {
    // Whoever opens a queue from now on sees that it must be counted anew, even if the process ends before it is. (If it
    // ends just before this, the ledgers are trusted, and the difference is found when the queue has been drained.)
    await level.put(REPAIRED_KEY, Buffer.from(new Date().toISOString()), { sync: true });
  } catch (error) {
    await level.close();
    throw error;
  }
  distrusted.delete(directory);
  onRepaired({ reason: damage.reason, copy });
  return level;
}

async function start(
  directory: string,
  options: { createIfMissing: boolean; errorIfExists?: boolean },
): Promise<Level> {
  const level = new ClassicLevel<string, Buffer>(directory, { keyEncoding: 'utf8', valueEncoding: 'buffer' });
  await level.open(options);
  return level;
}

/** LevelDB takes the lock before it looks whether there is a store; then both answers are errors, and change nothing. */
async function assertUnlocked(directory: string): Promise<void> {
  try {
    await start(directory, { createIfMissing: false, errorIfExists: true });
  } catch (error) {
    if (kindOfFault(error) === 'locked') throw error;
  }
}
