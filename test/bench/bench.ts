// The whole pipeline, from the first publish to the last point in InfluxDB, through the pack and through what one would
// use instead. Started by run.mjs, which has installed what the peers need.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { startInfluxd } from '../support/influxd';
import { startMosquitto } from '../support/mosquitto';
import { packageRoot, type Runtime } from '../support/node-red';
import { cleanUp } from './lifetime';
import { measure, type Run } from './measure';
import { PEERS, type PeerName } from './peers';
import { missedFloors, profileTable, summarize, summaryTable } from './report';

const RESULTS = join(packageRoot, 'test/results/bench.json');

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '50000,200000' },
    runs: { type: 'string', default: '5' },
    peers: { type: 'string', default: 'bare,pack,hand-made,python' },
    runtime: { type: 'string', default: '5' },
    profile: { type: 'boolean', default: false },
  },
});

function peersOf(names: string): PeerName[] {
  const chosen = names.split(',');
  const unknown = chosen.filter((name) => !(name in PEERS));
  if (unknown.length > 0) throw new Error(`--peers: no ${unknown.join()}; there are ${Object.keys(PEERS).join()}`);
  return chosen as PeerName[];
}

function runtimeOf(version: string): Runtime {
  if (version !== '4' && version !== '5') throw new Error(`--runtime: 4 or 5, not ${version}`);
  return version;
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option}: a whole number from 1 on, not ${text}`);
  return value;
}

function inOneLine(run: Run): string {
  const { peer, messages, publishing, seconds, rate, cpuPerMessage, peak, lost } = run;
  const times = `${seconds.toFixed(2)} s (published in ${publishing.toFixed(2)} s)`;
  const figures = [
    times,
    `${rate.toFixed(0)} msg/s`,
    `${cpuPerMessage.toFixed(1)} µs`,
    `${peak.toFixed(0)} MB`,
    `${lost} lost`,
  ];
  return `${messages} ${peer}: ${figures.join(', ')}`;
}

async function main(): Promise<void> {
  const peers = peersOf(values.peers);
  const runtime = runtimeOf(values.runtime);
  const sizes = values.messages.split(',').map((size) => numberOf('messages', size));
  const rounds = numberOf('runs', values.runs);

  const mosquitto = await startMosquitto({
    configuration: ['log_type subscribe', 'log_type error', 'log_type warning'],
  });
  const influxd = await startInfluxd();
  const servers = { mosquitto, influxd, runtime };
  const runs: Run[] = [];
  for (const messages of sizes) {
    for (let round = 1; round <= rounds; round++) {
      for (const peer of peers) {
        const run = await measure(servers, peer, messages, values.profile);
        console.error(`run ${round}: ${inOneLine(run)}`);
        runs.push(run);
      }
    }
  }

  const summaries = sizes.map((messages) => summarize(runs, messages, peers));
  const missed = missedFloors(summaries);
  const machine = { processors: cpus().length, model: cpus()[0]?.model, node: process.version, runtime };
  mkdirSync(dirname(RESULTS), { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify({ date: new Date(), machine, summaries, missed, runs }, undefined, 2)}\n`);

  console.log(`\nNode-RED ${runtime}, ${rounds} runs each, median [lowest..highest]`);
  for (const summary of summaries) console.log(`\n${summaryTable(summary)}`);
  if (values.profile) console.log(`\n${profileTable(runs)}`);
  for (const floor of missed) console.log(`\nMissed: ${floor}`);
  if (missed.length > 0) process.exitCode = 1;
}

try {
  await main();
} finally {
  await cleanUp();
}
