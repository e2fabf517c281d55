import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WatchedFile } from '../../../nodes/lib/runtime/watched-file';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';

function watch(path: string): { file: WatchedFile; texts: string[]; errors: string[] } {
  const texts: string[] = [];
  const errors: string[] = [];
  const file = new WatchedFile(
    path,
    (text) => void texts.push(text),
    (error) => void errors.push(error.message),
  );
  onTestFinished(() => file.close());
  return { file, texts, errors };
}

test('a file that was changed a moment ago is read when it has been quiet, and then as a whole', async () => {
  const path = join(tempDirectory('watched'), 'keys.yaml');
  writeFileSync(path, 'a: 1\n');
  const { file, texts } = watch(path);
  // Nothing of it has been handed over yet: it may be half written, as it is here.
  expect(texts).toEqual([]);
  appendFileSync(path, 'b: null\n');
  await file.first;
  await until('it is handed over', () => texts.length > 0);
  expect(texts).toEqual(['a: 1\nb: null\n']);
});

test('what is no file, or is not there, is told, and the first reading is over', async () => {
  const directory = tempDirectory('watched');
  mkdirSync(join(directory, 'folder'));
  const folder = watch(join(directory, 'folder'));
  const missing = watch(join(directory, 'missing'));
  await Promise.all([folder.file.first, missing.file.first]);
  expect(folder.errors).toEqual(['it is no file']);
  expect(missing.errors[0]).toMatch(/ENOENT/);
  expect([...folder.texts, ...missing.texts]).toEqual([]);
});
