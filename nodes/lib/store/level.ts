import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { PackError } from '../errors';
import { removeClosedNote } from './closed-note';
import { seal } from './codec';
import { setAside } from './copies';
import { innermost, kindOfFault } from './damage';
import { syncFolder } from './durable-files';
import { assertOwnFiles, inspect, type Findings } from './inspect';
import { REPAIRED_KEY } from './keys';
import { repairFiles } from './repair';
import { readRepairNote, removeRepairNote, writeRepairNote, type RepairNote } from './repair-note';

export type Level = ClassicLevel<string, Buffer>;

/** Files of the store were damaged, and have been repaired. */
export interface DamageReport {
  reason: string;
  /** Folder with the files as they were found. */
  copy: string;
}

/** A LevelDB, and its tables that nobody has looked at yet. */
export interface OpenedLevel {
  level: Level;
  unchecked: string[];
}

/** Why a store is to be looked at closely when it is opened the next time. */
interface Distrust {
  reason: string;
  /** LevelDB cannot read it, whatever its files look like. */
  isUnreadable: boolean;
}

const ATTEMPTS = 2;

/** By folder. Known to the process, not to a store: whoever opens it next, sees to it. */
const distrusted = new Map<string, Distrust>();

export function distrustLevel(directory: string, error: unknown): void {
  const isUnreadable = kindOfFault(error) === 'damaged';
  if (!distrusted.has(directory)) distrusted.set(directory, { reason: innermost(error).message, isUnreadable });
}

/** It has not been opened since. */
export function isDistrusted(directory: string): boolean {
  return distrusted.has(directory);
}

/**
 * Opens the LevelDB in a folder, new or not; one that is damaged is repaired first.
 *
 * @param onRepaired - called before the promise resolves.
 * @throws PackError `store-unavailable`: it was repaired in vain
 */
export async function openLevel(directory: string, onRepaired: (report: DamageReport) => void): Promise<OpenedLevel> {
  await assertOwnFiles(directory);
  const note = await readRepairNote(directory);
  const doubt = distrusted.get(directory);
  const found = await inspect(directory, { all: doubt !== undefined || note !== undefined });
  if (found === 'new') {
    await rm(join(directory, 'CURRENT'), { force: true });
    distrusted.delete(directory);
    await removeRepairNote(directory);
    const level = await start(directory, { createIfMissing: true });
    await syncFolder(directory);
    return { level, unchecked: [] };
  }
  if (doubt === undefined && note === undefined && found.reason === undefined) {
    try {
      await removeClosedNote(directory);
      const level = await start(directory, { createIfMissing: false });
      await syncFolder(directory);
      return { level, unchecked: found.unchecked };
    } catch (error) {
      if (kindOfFault(error) !== 'damaged') throw error;
      distrustLevel(directory, error);
      return openLevel(directory, onRepaired);
    }
  }
  // Nobody else may have it open while its files are changed.
  await assertUnlocked(directory);
  return { level: await mend(directory, found, note, doubt, onRepaired), unchecked: [] };
}

async function mend(
  directory: string,
  found: Findings,
  before: RepairNote | undefined,
  doubt: Distrust | undefined,
  onRepaired: (report: DamageReport) => void,
): Promise<Level> {
  if (before !== undefined && before.attempts >= ATTEMPTS) throw beyondRepair(directory, before);
  const isUnreadable = doubt?.isUnreadable === true && found.tables.length === 0;
  const reason = before?.reason ?? doubt?.reason ?? found.reason ?? '';
  const isRebuild = before?.isRebuild === true || found.version === undefined || isUnreadable;
  // The files are kept before anything is changed.
  const copy = before?.copy ?? (await setAside(directory));
  const note = { reason, copy, attempts: (before?.attempts ?? 0) + 1, isRebuild };
  await writeRepairNote(directory, note);
  try {
    await removeClosedNote(directory);
    await repairFiles(directory, found);
    const level = await reopen(directory, isRebuild);
    distrusted.delete(directory);
    // Told before the note goes: who is stopped in between repairs, and tells, once more.
    onRepaired({ reason, copy });
    await removeRepairNote(directory);
    return level;
  } catch (error) {
    // A full disk says nothing of whether a repair is possible.
    if (kindOfFault(error) !== 'damaged')
      await writeRepairNote(directory, { ...note, attempts: note.attempts - 1 }).catch(() => undefined);
    throw error;
  }
}

async function reopen(directory: string, isRebuild: boolean): Promise<Level> {
  if (isRebuild) {
    await ClassicLevel.repair(directory);
    await rm(join(directory, 'lost'), { recursive: true, force: true });
  }
  const level = await start(directory, { createIfMissing: true });
  try {
    // A repair forgets which of two tables is the newer; LevelDB's get() may then find an older record than the last.
    // Put together, each key has one record again.
    if (isRebuild) await level.compactRange('\0', '\uffff');
    // Whoever opens a queue from now on sees that it must be counted anew, even if the process ends before it is.
    await level.put(REPAIRED_KEY, seal(REPAIRED_KEY, Buffer.from(new Date().toISOString())), { sync: true });
    return level;
  } catch (error) {
    await level.close();
    throw error;
  }
}

function beyondRepair(directory: string, { reason, copy }: RepairNote): PackError {
  const advice = `Move the folder away: the pack goes on with a new store. The files as they were found are in ${copy}`;
  return new PackError(
    'store-unavailable',
    `The store in ${directory} was repaired ${ATTEMPTS} times in vain: ${reason}. ${advice}`,
  );
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
