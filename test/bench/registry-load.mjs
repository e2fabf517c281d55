// Time and memory to load a registry of 10,000 topics: each load in a process of its own, the first one there, as at
// a start of Node-RED. Run after a build: node test/bench/registry-load.mjs
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain, median, printTable, registryText, topicOf } from './registry-support.mjs';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../../dist');
const require = createRequire(import.meta.url);

const TOPICS = 10_000;
const RUNS = 5;
const FORMS = [
  { name: 'JSON, one payload format', form: 'exact', language: 'json' },
  { name: 'YAML, one payload format', form: 'exact', language: 'yaml' },
  { name: 'JSON, a capture in each topic', form: 'patterns', language: 'json' },
  { name: 'JSON, 10,000 payload formats', form: 'distinct', language: 'json' },
];

/**
 * @param {{ topics?: number, runs?: number }} [options]
 * @returns one row a form of the document: milliseconds by the clock and of processor time, megabytes of heap that stay
 */
export function benchRegistryLoad({ topics = TOPICS, runs = RUNS } = {}) {
  return FORMS.map(({ name, form, language }) => {
    const results = Array.from({ length: runs }, () => {
      const script = [fileURLToPath(import.meta.url), '--load', form, language, String(topics)];
      return JSON.parse(execFileSync(process.execPath, ['--expose-gc', ...script], { encoding: 'utf8' }));
    });
    const middle = (key) => median(results.map((result) => result[key]));
    return {
      name,
      topics,
      documentMegabytes: middle('documentMegabytes'),
      loadMilliseconds: Math.round(middle('loadMilliseconds')),
      cpuMilliseconds: Math.round(middle('cpuMilliseconds')),
      heapMegabytes: round(middle('heapMegabytes')),
      peakMegabytes: round(middle('peakMegabytes')),
      firstMessagesMilliseconds: Math.round(middle('firstMessagesMilliseconds')),
      heapAfterMessagesMegabytes: round(middle('heapAfterMessagesMegabytes')),
    };
  });
}

/** In the child process: one load, then one message from every topic. */
function loadOnce(form, language, topics) {
  const { loadRegistry } = require(join(dist, 'lib/registry/load.js'));
  const { route } = require(join(dist, 'registry-route/route.js'));
  const text = documentText(topics, form, language);
  const heapBefore = heap();
  const peakBefore = process.resourceUsage().maxRSS;
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  const { registry } = loadRegistry(text);
  const { user, system } = process.cpuUsage(cpuBefore);
  const loadMilliseconds = performance.now() - start;
  const cpuMilliseconds = (user + system) / 1_000;
  const peakMegabytes = (process.resourceUsage().maxRSS - peakBefore) / 1024;
  const heapMegabytes = (heap() - heapBefore) / 1e6;
  const started = performance.now();
  for (let number = 0; number < topics; number += 1) {
    const sent = route(registry, topicOf(number), { temperature: 20, ts: 1, ts_ns: 0 }, '{}');
    if (!sent.ok) throw new Error(sent.reason);
  }
  const firstMessagesMilliseconds = performance.now() - started;
  const heapAfterMessagesMegabytes = (heap() - heapBefore) / 1e6;
  const documentMegabytes = round(text.length / 1e6);
  const measured = { documentMegabytes, loadMilliseconds, cpuMilliseconds, heapMegabytes, peakMegabytes };
  return { ...measured, firstMessagesMilliseconds, heapAfterMessagesMegabytes };
}

function documentText(topics, form, language) {
  const json = registryText(topics, form);
  return language === 'json' ? json : require('yaml').stringify(JSON.parse(json), { aliasDuplicateObjects: false });
}

function heap() {
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

if (isMain(import.meta.url)) {
  const [command, form, language, topics] = process.argv.slice(2);
  if (command === '--load') {
    console.log(JSON.stringify(loadOnce(form, language, Number(topics))));
  } else {
    const rows = benchRegistryLoad();
    const headings = ['registry of 10,000 topics', 'document', 'load', 'CPU', 'heap', 'peak'];
    printTable([...headings, 'first message of each', 'heap then'], rows, [
      ({ name }) => name,
      ({ documentMegabytes }) => `${documentMegabytes} MB`,
      ({ loadMilliseconds }) => `${loadMilliseconds} ms`,
      ({ cpuMilliseconds }) => `${cpuMilliseconds} ms`,
      ({ heapMegabytes }) => `${heapMegabytes} MB`,
      ({ peakMegabytes }) => `${peakMegabytes} MB`,
      ({ firstMessagesMilliseconds }) => `${firstMessagesMilliseconds} ms`,
      ({ heapAfterMessagesMegabytes }) => `${heapAfterMessagesMegabytes} MB`,
    ]);
    console.log(JSON.stringify({ bench: 'registry-load', rows }));
  }
}
