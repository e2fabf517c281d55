import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seal, unseal } from './codec';
import { putFile, removeFile } from './durable-files';
import { parseJson } from './json';

/** Beside LevelDB's files; LevelDB leaves it alone. */
const NAME = 'REPAIR';

/** A repair that has begun and has not come to its end. */
export interface RepairNote {
  reason: string;
  /** Folder with the files as they were found first. */
  copy: string;
  /** How often it was begun. */
  attempts: number;
  /** What belongs to the store was not known: LevelDB puts it together from all tables. */
  isRebuild: boolean;
}

export async function writeRepairNote(directory: string, note: RepairNote): Promise<void> {
  await putFile(join(directory, NAME), seal(NAME, Buffer.from(JSON.stringify(note))));
}

export async function readRepairNote(directory: string): Promise<RepairNote | undefined> {
  try {
    const body = unseal(NAME, await readFile(join(directory, NAME)));
    if (typeof body === 'string') return undefined;
    const note = parseJson(body) as RepairNote;
    await access(note.copy);
    return note;
  } catch {
    return undefined; // there is none, or its copy was taken away
  }
}

export async function removeRepairNote(directory: string): Promise<void> {
  await removeFile(join(directory, NAME));
}
