// What matching a topic, checking a payload and building its point cost per message, from 10 to 100,000 registered
// topics: with the same few topics sending (a busy part of a big registry), and with all of them sending in turn.
// Run after a build: node test/bench/registry-match.mjs
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain, median, printTable, registryText, topicOf } from './registry-support.mjs';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../../dist');
const require = createRequire(import.meta.url);
const { loadRegistry } = require(join(dist, 'lib/registry/load.js'));
const { route } = require(join(dist, 'registry-route/route.js'));

const SIZES = [10, 100, 1_000, 10_000, 100_000];
const RUNS = 7;
const MESSAGES = 200_000;
/** Messages made at once, outside the time that counts: about what waits in a busy process. */
const BATCH = 1_000;
/** Topics that send when only a part of the registry does. */
const BUSY = 10;

/**
 * @param {{ sizes?: number[], runs?: number, messages?: number }} [options]
 * @returns one row a size, form of registry and spread of senders: nanoseconds of processor time per message
 */
export function benchRegistryMatch({ sizes = SIZES, runs = RUNS, messages = MESSAGES } = {}) {
  const setups = [];
  for (const form of ['exact', 'captured']) {
    for (const topics of sizes) {
      const { registry } = loadRegistry(registryText(topics, form));
      for (const spread of ['busy', 'even']) setups.push({ form, topics, spread, registry, times: [] });
    }
  }
  for (const setup of setups) sendAll(setup, messages);
  // Runs alternate, so that a slow moment of the machine does not fall on one size alone.
  for (let run = 0; run < runs; run += 1) {
    for (const setup of setups) setup.times.push(sendAll(setup, messages));
  }
  return setups.map(({ form, topics, spread, times }) => ({
    form,
    topics,
    spread,
    nanoseconds: Math.round(median(times)),
  }));
}

function sendAll({ topics, spread, registry }, messages) {
  const senders = spread === 'busy' ? Math.min(BUSY, topics) : topics;
  let microseconds = 0;
  for (let from = 0; from < messages; from += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, index) => messageOf(from + index, senders, topics));
    const before = process.cpuUsage();
    for (const { topic, payload, text } of batch) {
      if (!route(registry, topic, payload, text).ok) throw new Error(`${topic} was rejected`);
    }
    const { user, system } = process.cpuUsage(before);
    microseconds += user + system;
  }
  return (microseconds * 1_000) / messages;
}

/** A message as it comes: topic and payload are made of the packet's bytes, so no string of it is known yet. */
function messageOf(index, senders, topics) {
  // Steps by a prime, so that neighbours in the registry do not follow each other.
  const number = ((index * 7_919) % senders) * Math.floor(topics / senders);
  const values = `"humidity":${40 + (index % 50)},"temperature":${20 + (index % 97) / 10}`;
  const text = `{${values},"ts":${1_790_000_000 + index},"ts_ns":${index}}`;
  return { topic: Buffer.from(topicOf(number)).toString(), payload: JSON.parse(text), text };
}

if (isMain(import.meta.url)) {
  const rows = benchRegistryMatch();
  printTable(['entries in the registry', 'topics', 'that send', 'CPU a message'], rows, [
    ({ form }) => (form === 'exact' ? 'one for each topic' : 'one pattern for all'),
    ({ topics }) => topics.toLocaleString('en'),
    ({ spread }) => (spread === 'busy' ? `${BUSY}` : 'all, evenly'),
    ({ nanoseconds }) => `${nanoseconds} ns`,
  ]);
  console.log(JSON.stringify({ bench: 'registry-match', rows }));
}
