import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's own folder. */
export const project = dirname(dirname(fileURLToPath(import.meta.url)));

/** Everything the demo writes is in here; ignored by git, and safe to delete while the demo is not running. */
export const data = join(project, '.demo');

/** A folder inside the demo's data, made if it is not there. */
export function folder(...names) {
  const path = join(data, ...names);
  mkdirSync(path, { recursive: true });
  return path;
}
