// Builds dist/ from nodes/: tsc emits the runtime halves one to one, esbuild bundles each editor half into the HTML file
// that Node-RED reads beside the node's .js. It is made aside and renamed: a build that fails leaves dist/ as it was.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const source = join(root, 'nodes');
const finished = join(root, 'dist');
const target = join(root, `dist.${process.pid}.tmp`);
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

function compile(project, ...options) {
  execFileSync(process.execPath, [tsc, '-p', join(root, project), ...options], { stdio: 'inherit' });
}

async function buildNode(type) {
  const from = join(source, type);
  const to = join(target, type);
  const bundle = await build({
    entryPoints: [join(from, 'editor.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2020',
    charset: 'utf8',
  });
  const script = bundle.outputFiles[0].text;
  const form = readFileSync(join(from, 'editor.html'), 'utf8');
  // The script needs its type attribute: the flow library's checker finds the node definition by it.
  writeFileSync(
    join(to, `${type}.html`),
    `<script type="text/javascript">\n${script}</script>\n\n` +
      `<script type="text/html" data-template-name="${type}">\n${form}</script>\n`,
  );
  // Node-RED looks for both beside the node's .js: locales/<language>/<type>.{json,html} and icons/*.svg.
  cpSync(join(from, 'locales'), join(to, 'locales'), { recursive: true });
  const icon = join(root, 'icons', `${type}.svg`);
  if (existsSync(icon)) {
    mkdirSync(join(to, 'icons'), { recursive: true });
    cpSync(icon, join(to, 'icons', `${type}.svg`));
  }
}

try {
  compile('tsconfig.json', '--outDir', target);
  compile('tsconfig.editor.json');
  const types = readdirSync(source, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(source, entry.name, 'editor.ts')))
    .map((entry) => entry.name);
  await Promise.all(types.map(buildNode));
  rmSync(finished, { recursive: true, force: true });
  renameSync(target, finished);
} catch (error) {
  rmSync(target, { recursive: true, force: true });
  // tsc and esbuild have printed what is wrong.
  if (error instanceof Error && !('status' in error)) console.error(error.message);
  process.exit(1);
}
