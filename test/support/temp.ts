import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEndOfFile } from './cleanup';

/**
 * A new empty directory, removed with all it holds when the test file has ended, and with all that has come beside it: a store
 * keeps copies of what was damaged there.
 */
export function tempDirectory(name = 'test'): string {
  const place = mkdtempSync(join(tmpdir(), `mqtt2influx-${name}-`));
  atEndOfFile(() => rmSync(place, { recursive: true, force: true, maxRetries: 5 }));
  // Another user, to whom a test gives the directory, must get there.
  chmodSync(place, 0o711);
  const directory = join(place, name);
  mkdirSync(directory);
  return directory;
}
