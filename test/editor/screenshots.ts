import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot, type Runtime } from '../support/node-red';
import type { Scheme } from './editor-page';

/** Where a screenshot goes, for a person to look at. */
export function shot(runtime: Runtime, scheme: Scheme, name: string): string {
  const folder = join(packageRoot, 'test/results/editor');
  mkdirSync(folder, { recursive: true });
  return join(folder, `node-red-${runtime}-${scheme}-${name}.png`);
}
