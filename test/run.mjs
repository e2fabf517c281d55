// npm test: installs what is missing, builds, lints, and runs every tier of tests.
//
//   npm test                                        everything
//   npm test -- --tier unit                         one tier (may be given several times), without lint
//   npm test -- --torture                           the long campaigns
//   npm test -- --tier system test/system/x.test.ts -t 'a name'     the rest goes to vitest
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { install, installMicroPython, installRuntime, root, run } from './support/install.mjs';
import { provideNeeds } from './support/needs.mjs';

const results = join(root, 'test/results');
const TIERS = ['unit', 'nodes', 'system', 'editor', 'pack'];
const OLDEST_NODE = 20;

const totals = { passed: 0, failed: 0, skipped: 0 };
const summary = [];

/** `--tier NAME` and `--torture` are ours, everything else is vitest's. */
function readArguments(given) {
  const options = { tiers: [], torture: false, vitest: [] };
  for (let index = 0; index < given.length; index++) {
    const argument = given[index];
    if (argument === '--torture') options.torture = true;
    else if (argument === '--tier') options.tiers.push(given[++index]);
    else options.vitest.push(argument);
  }
  const unknown = options.tiers.filter((tier) => !TIERS.includes(tier));
  if (unknown.length > 0) {
    console.error(`There is no tier ${unknown.join(', ')}: ${TIERS.join(', ')}.`);
    process.exit(1);
  }
  return options;
}

function heading(text) {
  console.log(`\n== ${text}`);
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function finish() {
  heading('Summary');
  for (const line of summary) console.log(line);
  if (totals.skipped > 0) console.log(`${totals.skipped} skipped`);
  if (totals.passed === 0 && totals.failed === 0) console.log('No test ran.');
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);
}

/** A step that is no test: counted only when it fails. */
function step(name, work) {
  heading(name);
  const started = performance.now();
  const ok = work();
  if (!ok) totals.failed++;
  summary.push(`${name}: ${ok ? 'ok' : 'FAILED'}, ${seconds(started)}`);
  return ok;
}

/** Runs one tier and adds up what vitest counted; a tier that fails without a failed test counts as one failure. */
function tier(name, options) {
  heading(`Tier ${name}`);
  const started = performance.now();
  const report = join(results, `${name}.json`);
  const filtered = options.vitest.length > 0 ? ['--passWithNoTests'] : [];
  const ok = run(process.execPath, [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    name,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...filtered,
    ...options.vitest,
  ]);
  const counted = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {};
  const { numPassedTests: passed = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = counted;
  const failed = !ok && numFailedTests === 0 ? 1 : numFailedTests;
  const skipped = numPendingTests + numTodoTests;
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
  summary.push(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds(started)}`);
}

const options = readArguments(process.argv.slice(2));
if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  console.error(`Node ${OLDEST_NODE} or later is needed; this is ${process.version}.`);
  process.exit(1);
}
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
if (options.torture) process.env.TORTURE = '1';

const ready =
  step('Install', () => install(root)) &&
  step('Node-RED 5 and its Node', installRuntime) &&
  step('MicroPython', installMicroPython) &&
  step('mosquitto, InfluxDB, Chromium, Python, C', provideNeeds) &&
  step('Build', () => run(process.execPath, [join(root, 'build.mjs')]));
if (!ready) finish();

if (options.tiers.length === 0) step('Lint', () => run('npm', ['run', '--silent', 'lint']));
for (const name of options.tiers.length > 0 ? options.tiers : TIERS) tier(name, options);
finish();
