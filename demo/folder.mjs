import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's own folder. */
export const project = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Everything the demo writes is in here; ignored by git, and safe to delete while the demo is not running. The tests put
 * it elsewhere, so that they do not meet a demo of yours.
 */
export const data = process.env.DEMO_FOLDER ?? join(project, '.demo');

/** A folder inside the demo's data, made if it is not there. */
export function folder(...names) {
  const path = join(data, ...names);
  mkdirSync(path, { recursive: true });
  return path;
}
