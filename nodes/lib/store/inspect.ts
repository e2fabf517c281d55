import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PackError } from '../errors';
import { readClosedNote, type ClosedNote } from './closed-note';
import { readManifest, type Version } from './manifest';
import { checkRecordLog, type BadRange } from './record-log';
import { isGoodTable } from './table';

/** What was found of the files of a store before LevelDB opens them. */
export interface Findings {
  /** What is wrong, for the operator; undefined: nothing is, as far as was looked. */
  reason: string | undefined;
  /** What the MANIFEST says; undefined when that cannot be relied on. */
  version: Version | undefined;
  /** Logs with records that cannot be read. */
  logs: { file: string; bad: BadRange[] }[];
  /** Tables with blocks that cannot be read. */
  tables: string[];
  /** Tables that nobody has looked at yet. */
  unchecked: string[];
}

/** Bytes of tables that are looked at before a store is opened: a tenth of a second. Of a larger one, the others follow. */
const AT_ONCE = 64 * 1024 * 1024;

const DATA_FILE = /^(MANIFEST-\d+|\d+\.(log|ldb|sst))$/;
const TABLE_FILE = /^\d+\.(ldb|sst)$/;

export function isDataFile(name: string): boolean {
  return DATA_FILE.test(name);
}

/** What the store and LevelDB read or write, by name. */
const OWN_FILE = /^(CURRENT|LOCK|LOG|LOG\.old|CLOSED|REPAIR|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))(\.part)?$/;

export function isTableFile(name: string): boolean {
  return TABLE_FILE.test(name);
}

export function numberOf(file: string): number {
  return Number(/\d+/.exec(file)?.[0]);
}

/**
 * Makes sure that a store has no files but its own. To read a pipe would never end, and what is written through a link is
 * written elsewhere: LevelDB empties what has the name of its next file.
 *
 * @throws PackError `store-unavailable`
 */
export async function assertOwnFiles(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isFile() || (entry.isDirectory() && !OWN_FILE.test(entry.name))) continue;
    const advice = 'remove it, or choose another folder';
    throw new PackError(
      'store-unavailable',
      `The store in ${directory} cannot be used: ${entry.name} is not a regular file; ${advice}`,
    );
  }
}

/**
 * Looks for damage that LevelDB would not report but make worse: it opens a store without CURRENT as a new one and deletes
 * all tables; it takes a MANIFEST that was cut off for a short one, and deletes the tables that are not in it; it skips bad
 * records of a log and deletes the log, and does not miss one that has gone; it reads tables without looking at their checksums, and ends the process over
 * some when it repairs.
 *
 * @param options - `all`: look at all tables, however many there are
 * @returns `new` when there is no store yet.
 */
export async function inspect(directory: string, { all }: { all: boolean }): Promise<Findings | 'new'> {
  const names = await readdir(directory);
  const sizes = new Map<string, number>();
  for (const name of names.filter(isDataFile)) sizes.set(name, (await stat(join(directory, name))).size);
  const note = await readClosedNote(directory);
  const description = await readDescription(directory, names, note);
  const held = [...sizes].some(([name, size]) => isTableFile(name) || (name.endsWith('.log') && size > 0));
  // A first start that was cut short: nothing was ever promised.
  if (!held && note === undefined && (description.version?.log ?? 0) === 0) return 'new';
  const reasons = description.reason === undefined ? [] : [description.reason];
  let { version } = description;
  if (version !== undefined) {
    const missing = missingFiles(version, sizes);
    reasons.push(...missing.reasons);
    // It may be the MANIFEST that is too short, and LevelDB would delete these.
    const isForeign = [...sizes.keys()].some((name) => isTableFile(name) && !version?.tables.has(numberOf(name)));
    if (missing.reasons.length > 0 && isForeign) version = undefined;
  }
  for (const [name, size] of note ?? []) {
    const now = sizes.get(name);
    if (now === undefined) reasons.push(`${name} is missing`);
    else if (now < size) reasons.push(`${name} is shorter than it was`);
    if ((now ?? 0) < size && name.startsWith('MANIFEST-')) version = undefined;
  }
  const { logs, reasons: ofLogs } = await checkLogs(directory, [...sizes.keys()], version, note);
  reasons.push(...ofLogs);
  const { tables, unchecked } = await checkTables(directory, sizes, version, all);
  reasons.push(...tables.map((file) => `${file} has blocks that cannot be read`));
  return { reason: reasons[0], version, logs, tables, unchecked };
}

/** Where the MANIFEST is, and what it says. A power cut can tear its end: then what is there is right by itself. */
async function readDescription(
  directory: string,
  names: readonly string[],
  note: ClosedNote | undefined,
): Promise<{ reason?: string; version?: Version }> {
  if (!names.includes('CURRENT')) return { reason: 'CURRENT is missing' };
  const manifest = (await readFile(join(directory, 'CURRENT'), 'latin1')).replace(/\n$/, '');
  if (!/^MANIFEST-\d+$/.test(manifest) || !names.includes(manifest))
    return { reason: 'CURRENT does not name a MANIFEST' };
  const bytes = await readFile(join(directory, manifest));
  const { bad, torn } = checkRecordLog(bytes);
  const version = readManifest(bytes);
  const isDamaged = bad.length > 0 || version === undefined || (torn && note !== undefined);
  return isDamaged ? { reason: `${manifest} cannot be read to its end` } : { version };
}

function missingFiles(version: Version, sizes: ReadonlyMap<string, number>): { reasons: string[] } {
  const reasons: string[] = [];
  const files = new Map([...sizes].map(([name, size]) => [numberOf(name), { name, size }]));
  for (const { number, size } of version.tables.values()) {
    const table = files.get(number);
    if (table === undefined || !isTableFile(table.name)) reasons.push(`table ${number} is missing`);
    else if (table.size !== size) reasons.push(`${table.name} has not the length that it had`);
  }
  if (version.log > 0 && files.get(version.log)?.name.endsWith('.log') !== true)
    reasons.push(`log ${version.log} is missing`);
  return { reasons };
}

async function checkLogs(
  directory: string,
  files: readonly string[],
  version: Version | undefined,
  note: ClosedNote | undefined,
): Promise<{ logs: Findings['logs']; reasons: string[] }> {
  const logs: Findings['logs'] = [];
  const reasons: string[] = [];
  const isLive = (file: string): boolean =>
    version === undefined || numberOf(file) >= version.log || numberOf(file) === version.previousLog;
  for (const file of files.filter((name) => name.endsWith('.log') && isLive(name))) {
    const bytes = await readFile(join(directory, file));
    const { bad, torn } = checkRecordLog(bytes);
    if (bad.length > 0) {
      logs.push({ file, bad });
      reasons.push(`${file} has records that cannot be read`);
    } else if (torn && note !== undefined) reasons.push(`${file} does not end as it did`);
    else if (bytes.length > 0 && bytes.every((byte) => byte === 0)) reasons.push(`${file} holds nothing but zeros`);
  }
  return { logs, reasons };
}

async function checkTables(
  directory: string,
  sizes: ReadonlyMap<string, number>,
  version: Version | undefined,
  all: boolean,
): Promise<{ tables: string[]; unchecked: string[] }> {
  const tables: string[] = [];
  const unchecked: string[] = [];
  let looked = 0;
  // Without a MANIFEST all are repaired, and none may be looked at by LevelDB that is not good.
  const isMeant = (file: string): boolean => version === undefined || version.tables.has(numberOf(file));
  for (const [file, size] of sizes) {
    if (!isTableFile(file) || !isMeant(file)) continue;
    looked += size;
    if (looked > AT_ONCE && !all && version !== undefined) unchecked.push(file);
    else if (!(await isGoodTableFile(join(directory, file)))) tables.push(file);
  }
  return { tables, unchecked };
}

/** A table that is not there, any more, is none that is damaged. */
export async function isGoodTableFile(path: string): Promise<boolean> {
  try {
    return isGoodTable(await readFile(path));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
