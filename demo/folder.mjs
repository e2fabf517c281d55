import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's own folder. */
export const project = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Everything the demo writes is in here; ignored by git, and safe to delete while the demo is not running. The tests put
 * it elsewhere, so that they do not meet a demo of yours.
 */
export const data = process.env.DEMO_FOLDER ?? join(project, '.demo');

const require = createRequire(import.meta.url);

/** A file of `nodes/lib`, as built. */
export const library = (path) => require(join(project, 'dist', 'lib', path));

/** A folder inside the demo's data, made if it is not there. */
export function folder(...names) {
  const path = join(data, ...names);
  mkdirSync(path, { recursive: true });
  return path;
}
