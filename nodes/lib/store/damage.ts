import { copyFile, link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { blankOut, checkRecordLog, type BadRange } from './record-log';

/** What is wrong with the files of a store, found before LevelDB opens them. */
export interface Damage {
  /** For the operator. */
  reason: string;
  /** Only a repair can open the store. Otherwise LevelDB opens it and skips what it cannot read. */
  repair: boolean;
  /** Files with records that cannot be read. */
  logs: { file: string; bad: BadRange[] }[];
}

/** Copies of damaged stores that are kept; the oldest goes when there is one more. */
const COPIES = 3;

const DATA_FILE = /^(MANIFEST-\d+|\d+\.(log|ldb|sst))$/;
const TABLE_FILE = /\.(ldb|sst)$/;

/**
 * Looks for damage that LevelDB would not report but make worse: it opens a store without CURRENT as a new one and
 * deletes all tables; it takes a MANIFEST that was cut off for a short one, and deletes the tables that are not in it; it
 * skips bad records of a log and deletes the log.
 *
 * @returns `new` when there is no store yet.
 */
export async function inspect(directory: string): Promise<Damage | 'new' | undefined> {
  const files = (await readdir(directory)).filter((name) => DATA_FILE.test(name)).sort();
  if (files.length === 0) return 'new';
  const description = await damageOfDescription(directory, files);
  const logs: Damage['logs'] = [];
  for (const file of files.filter((name) => name.endsWith('.log'))) {
    const { bad } = checkRecordLog(await readFile(join(directory, file)));
    if (bad.length > 0) logs.push({ file, bad });
  }
  if (description !== undefined) return { reason: description, repair: true, logs };
  const [first] = logs;
  return first && { reason: `${first.file} has records that cannot be read`, repair: false, logs };
}

async function damageOfDescription(directory: string, files: readonly string[]): Promise<string | undefined> {
  const names = await readdir(directory);
  if (!names.includes('CURRENT')) return 'CURRENT is missing';
  const manifest = (await readFile(join(directory, 'CURRENT'), 'utf8')).replace(/\n$/, '');
  if (!files.includes(manifest) || !manifest.startsWith('MANIFEST-')) return 'CURRENT does not name a MANIFEST';
  // A power cut can tear a MANIFEST too. The repair loses nothing then, and nothing tells the two apart.
  const { bad, torn } = checkRecordLog(await readFile(join(directory, manifest)));
  return bad.length > 0 || torn ? `${manifest} cannot be read to its end` : undefined;
}

/** Blanks out what cannot be read, so that neither opening nor repairing (which ignores checksums) stumbles over it. */
export async function blankOutLogs(directory: string, logs: Damage['logs']): Promise<void> {
  for (const { file, bad } of logs) {
    const path = join(directory, file);
    await writeFile(path, blankOut(await readFile(path), bad), { flush: true });
  }
}

/**
 * Keeps the files of a store as they are, in a folder beside it.
 *
 * @returns the folder.
 */
export async function setAside(directory: string): Promise<string> {
  const copy = `${directory}.damaged-${new Date().toISOString().replaceAll(':', '-')}`;
  try {
    await mkdir(copy);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      // LOCK is empty, and closing it would release another handle's lock: that is how POSIX locks work.
      if (!entry.isFile() || entry.name === 'LOCK') continue;
      await keep(join(directory, entry.name), join(copy, entry.name));
    }
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    throw error;
  }
  await removeOldCopies(directory);
  return copy;
}

async function keep(from: string, to: string): Promise<void> {
  if (!TABLE_FILE.test(from)) return copyFile(from, to);
  // LevelDB never changes a table, only replaces it: a second name for the file is as good as a copy, and on a disk that
  // is nearly full there may be no room for one.
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to); // the file system has no links
  }
}

async function removeOldCopies(directory: string): Promise<void> {
  const parent = dirname(directory);
  const prefix = `${basename(directory)}.damaged-`;
  const copies = (await readdir(parent)).filter((name) => name.startsWith(prefix)).sort();
  for (const name of copies.slice(0, -COPIES)) await rm(join(parent, name), { recursive: true, force: true });
}

/** LevelDB's own errors, by what can be done about them. */
export type Fault = 'locked' | 'damaged' | 'other';

/** Tells from what LevelDB reports, on opening, reading or writing, whether files are damaged. */
export function kindOfFault(error: unknown): Fault {
  const { code, message } = innermost(error);
  if (code === 'LEVEL_LOCKED') return 'locked';
  if (code === 'LEVEL_CORRUPTION') return 'damaged';
  // A table that is shorter than its index says, that has vanished, or that lies on a bad sector.
  if (/\.(ldb|sst): (Invalid argument|No such file|Input\/output error)/.test(message)) return 'damaged';
  return 'other';
}

/** What LevelDB said, without the "Database failed to open" around it. */
export function innermost(error: unknown): { code: unknown; message: string } {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  if (!(inner instanceof Error)) return { code: undefined, message: String(inner) };
  return { code: 'code' in inner ? inner.code : undefined, message: inner.message };
}
