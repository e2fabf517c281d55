import { copyFile, link, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Only the owner may read what the pack stores. */
export const OWNER_FOLDER = 0o700;
const OWNER_FILE = 0o600;
const CANNOT_SYNC = new Set(['EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM']);

/** Puts a file in place, whole or not at all, whenever the power fails. What was there before is replaced. */
export async function putFile(path: string, content: Buffer | string): Promise<void> {
  const part = `${path}.part`;
  // Whatever has its name goes before: to write through a link would write elsewhere.
  await rm(part, { force: true });
  await writeFile(part, content, { flag: 'wx', flush: true, mode: OWNER_FILE });
  await rename(part, path);
  await syncFolder(dirname(path));
}

/** Takes a file away, for good. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

/** A copy of a file that is on the disk when this resolves; its name is, when its folder is synced. */
export async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await sync(to, 'r+');
}

/** A second name for a file that nobody changes: as good as a copy, and needs no room. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyDurably(from, to); // the file system has no links
  }
}

/** The names in a folder are on the disk when this resolves, where that can be asked for. */
export async function syncFolder(path: string): Promise<void> {
  try {
    await sync(path, 'r');
  } catch (error) {
    // Windows cannot open a folder, and some file systems cannot sync one.
    if (!CANNOT_SYNC.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

async function sync(path: string, flags: string): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
