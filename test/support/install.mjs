// What the entry points of tests and bench have in common: running commands, and installing npm packages.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Runs a command in sight of the caller; false if it fails. */
export function run(command, args, { cwd = root, env = process.env } = {}) {
  // npm is a script with an extension of its own on Windows.
  const shell = process.platform === 'win32' && command === 'npm';
  const { status, error } = spawnSync(command, args, { cwd, env, shell, stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  return status === 0;
}

/** npm ci, unless what is installed is newer than the lock file, or belongs to another folder: npm would empty that. */
export function install(folder) {
  const modules = join(folder, 'node_modules');
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) return true;
  const lock = join(folder, 'package-lock.json');
  const installed = join(modules, '.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return true;
  return run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder });
}

/** Node-RED 5 and the Node.js it recommends. */
export function installRuntime() {
  const folder = join(root, 'test/runtimes/node-red-5');
  if (!install(folder)) return false;
  const node = join(folder, 'node_modules/node/bin/node');
  if (existsSync(node)) return true;
  console.error(`${node} is missing: npm must be allowed to run the install script of the package "node".`);
  return false;
}

/** The interpreter that the device code for MicroPython is tested under. */
export function installMicroPython() {
  return install(join(root, 'test/runtimes/micropython'));
}
