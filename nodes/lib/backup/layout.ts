import { lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../errors';
import type { Day } from './days';

/**
 * Where copies are: `<directory>/<server>/<bucket>/<day>.<sum>.lp.gz`, and beside them `manifest.json`. The sum is the start of
 * the file's SHA-256: a new copy of a day never has the name of an older one, so the manifest alone decides which one counts,
 * and replacing it replaces them all at once.
 */
export const MANIFEST = 'manifest.json';
const PARTIAL = '.partial';
const SUM_DIGITS = 12;
const COPY = /^(\d{4}-\d\d-\d\d)\.([0-9a-f]{12})\.lp\.gz$/;

/** What every file system takes as a name, whatever the text: other characters are percent-encoded. */
export function folderOf(name: string): string {
  const encoded = encodeURIComponent(Buffer.from(name).toString()).replace(/[!'()*~]/g, percent);
  return encoded.replace(/^\.+|\.+$/g, (dots) => '%2E'.repeat(dots.length)) || '%';
}

export function nameOfFolder(folder: string): string {
  try {
    return folder === '%' ? '' : decodeURIComponent(folder);
  } catch {
    return folder; // made by somebody else
  }
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

export function bucketDirectory(serverDirectory: string, bucket: string): string {
  return join(serverDirectory, folderOf(bucket));
}

export function copyName(day: Day, sha256: string): string {
  return `${day}.${sha256.slice(0, SUM_DIGITS)}.lp.gz`;
}

/** The day and the start of the sum that a file's name tells; undefined for other files. */
export function parseCopyName(file: string): { day: Day; sum: string } | undefined {
  const [, day, sum] = COPY.exec(file) ?? [];
  return day === undefined || sum === undefined ? undefined : { day, sum };
}

/** The name of a file that is being written, beside the one it will become. */
export function partialName(file: string): string {
  return `${file}${PARTIAL}`;
}

/** Whether a file is one that was being written, by its name: `<day>.lp.gz.partial`, or that of the manifest. */
export function isPartial(file: string): boolean {
  return file === partialName(MANIFEST) || /^\d{4}-\d\d-\d\d\.lp\.gz\.partial$/.test(file);
}

/**
 * Makes sure that the directory for the copies of all servers is there. It is never made: on a volume that is not mounted the
 * copies would go to the disk below it.
 *
 * @throws Error that says what to do
 */
export async function requireDirectory(directory: string): Promise<void> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(directory)).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT')
      throw new Error(`the directory ${directory} cannot be read: ${reasonOf(error)}`, { cause: error });
    throw new Error(`the directory ${directory} does not exist: mount its volume, or make the directory`, {
      cause: error,
    });
  }
  if (!isDirectory) throw new Error(`${directory} is not a directory`);
}

/** Names that are looked at in one folder: hundreds of years of copies. */
const MOST_FILES = 100_000;

/**
 * Names of what is in a directory; none when it is not there.
 *
 * @throws Error when it is not a directory, or cannot be read
 */
export async function filesIn(directory: string): Promise<string[]> {
  if (!(await isFolder(directory))) return [];
  const files: string[] = [];
  for await (const { name } of await opendir(directory)) {
    if (files.length >= MOST_FILES) throw new Error(`${directory} holds more than ${MOST_FILES} files`);
    files.push(name);
  }
  return files.sort();
}

/**
 * Whether there is a directory. A link to one is none: what is in it may be anybody's.
 *
 * @throws Error when something else is there
 */
export async function isFolder(directory: string): Promise<boolean> {
  try {
    if ((await lstat(directory)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  throw new Error(
    `${directory} is not a directory, or a link to one: copies are only kept in directories of their own`,
  );
}

/**
 * Buckets of a server that have copies.
 *
 * @throws Error when a folder cannot be read: it may be one of them
 */
export async function bucketsIn(serverDirectory: string): Promise<string[]> {
  const buckets: string[] = [];
  for (const folder of await filesIn(serverDirectory)) {
    const path = join(serverDirectory, folder);
    const found = await lstat(path);
    // What a link leads to is not read; that it may hide a bucket's copies is told of the bucket.
    if (found.isSymbolicLink()) buckets.push(nameOfFolder(folder));
    // What somebody has put there and is no folder has no copies.
    if (!found.isDirectory()) continue;
    const files = await filesIn(path);
    if (files.includes(MANIFEST) || files.some((file) => parseCopyName(file))) buckets.push(nameOfFolder(folder));
  }
  return buckets;
}
