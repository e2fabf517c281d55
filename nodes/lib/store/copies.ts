import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { copyDurably, linkOrCopy, OWNER_FOLDER, syncFolder } from './durable-files';
import { isTableFile } from './inspect';

/** Copies of damaged stores that are kept: the first, which nobody has repaired yet, and the newest. */
const COPIES = 3;
const PART = '.part';

/**
 * Keeps the files of a store as they are, in a folder beside it. They are on the disk when this resolves.
 *
 * @returns the folder.
 */
export async function setAside(directory: string): Promise<string> {
  const parent = dirname(directory);
  const prefix = `${basename(directory)}.damaged-`;
  const copy = join(parent, prefix + new Date().toISOString().replaceAll(':', '-'));
  const part = copy + PART;
  await removeParts(parent, prefix);
  try {
    await mkdir(part, { mode: OWNER_FOLDER });
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      // LOCK is empty, and closing it would release another handle's lock: that is how POSIX locks work.
      if (!entry.isFile() || entry.name === 'LOCK') continue;
      const [from, to] = [join(directory, entry.name), join(part, entry.name)];
      // LevelDB never changes a table, only replaces it; and on a disk that is nearly full there may be no room for copies.
      await (isTableFile(entry.name) ? linkOrCopy(from, to) : copyDurably(from, to));
    }
    await syncFolder(part);
    await rename(part, copy);
    await syncFolder(parent);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
  await removeOldCopies(parent, prefix);
  return copy;
}

/** What an attempt has left that was cut short. */
async function removeParts(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix) && name.endsWith(PART)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function removeOldCopies(parent: string, prefix: string): Promise<void> {
  const copies = (await readdir(parent)).filter((name) => name.startsWith(prefix)).sort();
  for (const name of copies.slice(1, 1 - COPIES)) await rm(join(parent, name), { recursive: true, force: true });
}
