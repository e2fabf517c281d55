// npm run bench: installs what is missing, builds, and measures.
//
//   npm run bench                                   everything: the pipeline, aggregation, the registry
//   npm run bench -- --messages 50000 --runs 3      sizes (comma-separated) and runs of each; default 50000,200000 and 5
//   npm run bench -- --peers bare,pack              of bare, pack, hand-made, python; they take turns
//   npm run bench -- --runtime 4                    Node-RED 4.1 on this Node.js; default 5 on Node.js 24
//   npm run bench -- --profile                      where the time of the main thread goes, by owner (rates are lower then)
//   npm run bench -- --only pipeline                or aggregate, or registry
//   npm run bench -- --only aggregate --series 1000 --points 900000 --runs 5
//
// The pipeline's figures are in test/results/bench.json. Exits with 1 when the pack is below what it must reach.
import { join } from 'node:path';
import { install, installRuntime, root, run } from '../support/install.mjs';
import { provideNeeds } from '../support/needs.mjs';

const here = join(root, 'test/bench');
// As deep below the root as test/support, whose sources find the repository by that, and beside the installed packages.
const bundles = join(root, 'node_modules/.bench');

/** The TypeScript parts: the bench itself and the processes that it starts. */
async function bundle() {
  // Not at the top: on a fresh clone it has only just been installed.
  const { build } = await import('esbuild');
  await build({
    entryPoints: {
      bench: join(here, 'bench.ts'),
      'bench-aggregate': join(here, 'aggregate.ts'),
      'bench-publisher': join(here, 'publisher.ts'),
      'bench-bare': join(here, 'bare.ts'),
    },
    outdir: bundles,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    alias: { vitest: join(here, 'lifetime.ts') },
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
}

function optionsOf(given) {
  const at = given.indexOf('--only');
  if (at === -1) return { only: undefined, rest: given };
  return { only: given[at + 1], rest: given.toSpliced(at, 2) };
}

const { only, rest } = optionsOf(process.argv.slice(2));
const ready =
  install(root) &&
  installRuntime() &&
  install(join(here, 'peers')) &&
  provideNeeds() &&
  run(process.execPath, [join(root, 'build.mjs')]);
if (!ready) process.exit(1);

const results = [];
const wants = (part) => only === undefined || only === part;
if (wants('pipeline') || wants('aggregate')) await bundle();
if (wants('pipeline')) results.push(run(process.execPath, [join(bundles, 'bench.mjs'), ...rest]));
// Sizes that are given without a part are the pipeline's.
if (wants('aggregate')) {
  results.push(run(process.execPath, [join(bundles, 'bench-aggregate.mjs'), ...(only === undefined ? [] : rest)]));
}
if (wants('registry')) {
  results.push(run(process.execPath, [join(here, 'registry-match.mjs')]));
  results.push(run(process.execPath, [join(here, 'registry-load.mjs')]));
}
process.exit(results.every(Boolean) ? 0 : 1);
