import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/node-red';
import { tempDirectory } from '../support/temp';

/** What the tests read of package.json. */
export interface Manifest {
  name: string;
  version: string;
  license?: string;
  keywords?: string[];
  repository?: { url: string };
  bugs?: { url: string };
  engines?: { node?: string };
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  'node-red'?: { version?: string; nodes?: Record<string, string> };
}

/** What `npm publish` would publish. */
export interface Tarball {
  /** The .tgz. */
  file: string;
  /** Where it lies unpacked. */
  folder: string;
  manifest: Manifest;
  /** Paths in it, with forward slashes. */
  files: string[];
  read(path: string): string;
}

/** Packs dist/ as it stands; `npm test` has built it. */
export function packTarball(): Tarball {
  if (!existsSync(join(packageRoot, 'dist'))) throw new Error('dist/ is missing: npm test makes it');
  const directory = tempDirectory('tarball');
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], {
    cwd: packageRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const file = join(directory, packed.trim().split('\n').at(-1) ?? '');
  execFileSync('tar', ['-xzf', file, '-C', directory]);
  const folder = join(directory, 'package');
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  return { file, folder, manifest: JSON.parse(read('package.json')) as Manifest, files, read };
}
