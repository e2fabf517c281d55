/** Opens damaged copies of a store in a process of its own, as LevelDB may end it. Bundled by store-damage.test.ts. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import files from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { Store } from '../../nodes/lib/store/store';
import { damagedCopy, examine, type Verdict } from './store-damage-cases';

const [mode, template = '', scratch = '', ...numbers] = process.argv.slice(2);
const [seed = 0, from = 0, to = 0] = numbers.map(Number);

/** Reports at once, whatever happens to this process afterwards. */
function report(verdict: Verdict | { begins: number } | { operations: number }): void {
  writeSync(1, `${JSON.stringify(verdict)}\n`);
}

/** Ends this process as a power cut does, right before the file operation of this number. */
function cutBefore(number: number): () => number {
  let count = 0;
  const counted = <T extends (...these: never[]) => unknown>(operation: T): T =>
    function (this: unknown, ...these: never[]) {
      count += 1;
      if (count === number) process.kill(process.pid, 'SIGKILL');
      return operation.apply(this, these);
    } as T;
  for (const name of ['rename', 'copyFile', 'link', 'mkdir', 'rm', 'open'] as const)
    Object.assign(files, { [name]: counted(files[name] as never) });
  // A file that is written anew is emptied first: the power can fail in between.
  const writeFile = files.writeFile as (...these: unknown[]) => Promise<void>;
  Object.assign(files, {
    writeFile: counted((...these: unknown[]) => {
      if (count + 1 === number) closeSync(openSync(String(these[0]), 'w'));
      return counted(writeFile)(...these);
    }),
  });
  const { open, put, compactRange } = ClassicLevel.prototype as unknown as Record<
    string,
    (...these: never[]) => unknown
  >;
  Object.assign(ClassicLevel, { repair: counted(ClassicLevel.repair.bind(ClassicLevel) as never) });
  for (const [name, operation] of Object.entries({ open, put, compactRange }))
    if (operation !== undefined) Object.assign(ClassicLevel.prototype, { [name]: counted(operation) });
  return () => count;
}

async function main(): Promise<void> {
  mkdirSync(scratch, { recursive: true });
  if (mode === 'cases') {
    for (let index = from; index < to; index++) {
      report({ begins: index });
      const { directory, what } = damagedCopy(template, join(scratch, String(index)), seed, index);
      report({ index, what, ...(await examine(directory, template)) });
    }
  } else {
    // Mode `cut`: `from` is the operation; the folder is damaged already.
    const operations = cutBefore(from);
    const store = await Store.open(scratch);
    report({ operations: operations() });
    await store.close();
  }
}

main().catch((error: unknown) => {
  writeSync(1, `${JSON.stringify({ failed: String(error) })}\n`);
  process.exitCode = 1;
});
