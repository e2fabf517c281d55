import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { project } from './folder.mjs';

const MINIMUM_NODE = 20;

const changedAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** Installs what the lock file names and builds the pack, each only if that is not done or no longer up to date. */
export function prepare() {
  if (Number.parseInt(process.versions.node, 10) < MINIMUM_NODE) {
    throw new Failure(`This needs Node.js ${MINIMUM_NODE} or later; here is ${process.versions.node}.`);
  }
  if (!isInstalled()) {
    step('Installing packages (npm ci), about a minute …', ...npm('ci', '--no-audit', '--no-fund'));
  }
  if (builtAt() < newestSource()) step('Building …', process.execPath, [join(project, 'build.mjs')]);
}

/** Also what belongs to another folder, as in a worktree: npm would empty that. */
function isInstalled() {
  const modules = join(project, 'node_modules');
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) return true;
  // npm writes this file last, so a broken installation does not have it.
  return changedAt(join(modules, '.package-lock.json')) >= changedAt(join(project, 'package-lock.json'));
}

function step(title, program, args) {
  console.log(title);
  const { status } = spawnSync(program, args, { cwd: project, stdio: 'inherit' });
  if (status !== 0) throw new Failure(`${title.split(' ')[0]} failed, see above.`);
}

// npm tells its scripts where it is; on Windows npm itself is no program that can be started without a shell.
function npm(...args) {
  const path = process.env.npm_execpath;
  return path?.endsWith('.js') ? [process.execPath, [path, ...args]] : ['npm', args];
}

function newestSource() {
  const inputs = ['build.mjs', 'tsconfig.json', 'tsconfig.editor.json'].map((name) => changedAt(join(project, name)));
  const folders = ['nodes', 'icons'].flatMap((name) =>
    readdirSync(join(project, name), { recursive: true }).map((file) => changedAt(join(project, name, file))),
  );
  return Math.max(...inputs, ...folders);
}

// The oldest of what the build writes for each node: a build that stopped half-way does not count.
function builtAt() {
  const { nodes } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))['node-red'];
  const outputs = Object.values(nodes).flatMap((file) => [file, file.replace(/\.js$/, '.html')]);
  return Math.min(...outputs.map((file) => changedAt(join(project, file))));
}
