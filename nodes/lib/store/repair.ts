import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { putFile, removeFile } from './durable-files';
import { isDataFile, numberOf, type Findings } from './inspect';
import { writeManifest, type Version } from './manifest';
import { blankOut } from './record-log';
import { salvageTable } from './table';

/**
 * Makes the files of a store such that LevelDB can read all that is good in them. Each file is put in place whole, and
 * what belongs to the store changes at once, by CURRENT: cut anywhere, the store is as before or as after, and the same
 * again does what is left.
 */
export async function repairFiles(directory: string, { version, logs, tables }: Findings): Promise<void> {
  for (const { file, bad } of logs) {
    const path = join(directory, file);
    await putFile(path, blankOut(await readFile(path), bad));
  }
  if (version === undefined) await replaceTables(directory, tables);
  else await changeVersion(directory, version, tables);
}

/** Nobody knows to which level a table belongs: its good blocks take its place. */
async function replaceTables(directory: string, tables: readonly string[]): Promise<void> {
  for (const file of tables) {
    const path = join(directory, file);
    const salvaged = salvageTable(await readFile(path));
    await (salvaged === undefined ? removeFile(path) : putFile(path, salvaged.table));
  }
}

/** New tables hold the good blocks of the damaged ones, and a new MANIFEST says so. */
async function changeVersion(directory: string, version: Version, damaged: readonly string[]): Promise<void> {
  const files = (await readdir(directory)).filter(isDataFile);
  const present = new Set(files.filter((name) => !/^MANIFEST|\.log$/.test(name)).map(numberOf));
  const tables = new Map([...version.tables].filter(([number]) => present.has(number)));
  let next = Math.max(version.next, ...files.map((name) => numberOf(name) + 1));
  for (const file of damaged) {
    const before = tables.get(numberOf(file));
    tables.delete(numberOf(file));
    const salvaged = salvageTable(await readFile(join(directory, file)));
    if (before === undefined || salvaged === undefined) continue;
    const { table, smallest, largest } = salvaged;
    const number = next++;
    await putFile(join(directory, fileName(number, '.ldb')), table);
    tables.set(number, { level: before.level, number, size: table.length, smallest, largest });
  }
  if (tables.size === version.tables.size && damaged.length === 0) return;
  const manifest = `MANIFEST-${fileName(next, '')}`;
  await putFile(join(directory, manifest), writeManifest({ ...version, next: next + 1, tables }));
  await putFile(join(directory, 'CURRENT'), `${manifest}\n`);
}

function fileName(number: number, extension: string): string {
  return String(number).padStart(6, '0') + extension;
}
