import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEndOfFile } from './cleanup';

/** A new empty directory, removed with all it holds when the test file has ended. */
export function tempDirectory(name = 'test'): string {
  const directory = mkdtempSync(join(tmpdir(), `mqtt2influx-${name}-`));
  atEndOfFile(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
