import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { seal, unseal } from './codec';
import { putFile, removeFile } from './durable-files';
import { parseJson } from './json';

/** Beside LevelDB's files; LevelDB leaves it alone. */
const NAME = 'CLOSED';

/** Sizes of the data files of a store that was closed in order, by name. */
export type ClosedNote = ReadonlyMap<string, number>;

/**
 * Notes how long the files of a store are, now that it is closed: what is missing of them later was damaged. After a crash
 * there is no note, and the end of a log may be missing.
 */
export async function noteClosed(directory: string, isData: (name: string) => boolean): Promise<void> {
  const names = (await readdir(directory)).filter(isData);
  const sizes = await Promise.all(names.map(async (name) => [name, (await stat(join(directory, name))).size]));
  await putFile(join(directory, NAME), seal(NAME, Buffer.from(JSON.stringify(sizes))));
}

/** Undefined when the store was not closed in order, or the note cannot be read. */
export async function readClosedNote(directory: string): Promise<ClosedNote | undefined> {
  let record: Buffer;
  try {
    record = await readFile(join(directory, NAME));
  } catch {
    return undefined;
  }
  const body = unseal(NAME, record);
  const sizes = typeof body === 'string' ? undefined : parseJson(body);
  return Array.isArray(sizes) ? new Map(sizes as [string, number][]) : undefined;
}

/** The store is about to be opened: from now on its files change. */
export async function removeClosedNote(directory: string): Promise<void> {
  await removeFile(join(directory, NAME));
}
