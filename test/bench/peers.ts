import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { PipelineFlow } from '../support/flows';
import type { Influxd } from '../support/influxd';
import type { Mosquitto } from '../support/mosquitto';
import { executables, packageRoot, startNodeRed, type Runtime } from '../support/node-red';
import { startChild } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { aggregatingFlow, handMadeFlow, packFlow } from './flows';
import { BUCKET, DATABASE, MEASUREMENT, SECRET, TOPIC_FILTER } from './load';

/** A running peer that has been told where the servers are; it subscribes in its own time. */
export interface Worker {
  readonly pid: number;
  output(): string;
  stop(): Promise<unknown>;
}

/** Where a peer runs, and between what. */
export interface Setting {
  mosquitto: Mosquitto;
  influxd: Influxd;
  /** The Node-RED that the flows run in; the bare process runs on the same Node.js. */
  runtime: Runtime;
  /** Where Node.js writes a CPU profile when the worker ends; undefined: none is made. */
  profileDirectory: string | undefined;
}

const INFLUXDB_NODES = 'node-red-contrib-influxdb';

function profilingOptions({ profileDirectory }: Setting): string[] {
  if (profileDirectory === undefined) return [];
  return ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${profileDirectory}`];
}

function startBare(setting: Setting): Promise<Worker> {
  const { node } = executables(setting.runtime);
  const script = join(import.meta.dirname, 'bench-bare.mjs');
  return startChild(node, [...profilingOptions(setting), script, setting.mosquitto.url, setting.influxd.url]);
}

async function startFlow(setting: Setting, { flows, credentials }: PipelineFlow, userDir: string): Promise<Worker> {
  const nodeRed = await startNodeRed({
    runtime: setting.runtime,
    flows,
    credentials,
    userDir,
    nodeOptions: profilingOptions(setting),
    pack: flows.some(({ type }) => type === 'hmac-verify'),
  });
  return { pid: nodeRed.pid(), output: () => nodeRed.log(), stop: () => nodeRed.stop() };
}

function startPack(setting: Setting): Promise<Worker> {
  const servers = { brokerPort: setting.mosquitto.port, influxUrl: setting.influxd.url };
  return startFlow(setting, packFlow(servers), tempDirectory('bench-pack'));
}

function startAggregating(setting: Setting): Promise<Worker> {
  const servers = { brokerPort: setting.mosquitto.port, influxUrl: setting.influxd.url };
  return startFlow(setting, aggregatingFlow(servers), tempDirectory('bench-aggregating'));
}

function startHandMade(setting: Setting): Promise<Worker> {
  const servers = { brokerPort: setting.mosquitto.port, influxUrl: setting.influxd.url };
  const userDir = tempDirectory('bench-hand-made');
  mkdirSync(join(userDir, 'node_modules'));
  const installed = join(packageRoot, 'test/bench/peers/node_modules', INFLUXDB_NODES);
  symlinkSync(installed, join(userDir, 'node_modules', INFLUXDB_NODES), 'dir');
  return startFlow(setting, handMadeFlow(servers), userDir);
}

function startPython({ mosquitto, influxd }: Setting): Promise<Worker> {
  const settings = {
    secret: SECRET,
    filter: TOPIC_FILTER,
    database: DATABASE,
    bucket: BUCKET,
    measurement: MEASUREMENT,
  };
  const script = join(packageRoot, 'test/bench/worker.py');
  // run.mjs has looked for one that has paho-mqtt.
  const python = process.env['TEST_PYTHON'] ?? 'python3';
  return startChild(python, [script, mosquitto.url, influxd.url, JSON.stringify(settings)]);
}

export interface Peer {
  title: string;
  /** Runs on Node.js, so that it can be profiled. */
  onNode: boolean;
  start(setting: Setting): Promise<Worker>;
}

export type PeerName = 'bare' | 'pack' | 'hand-made' | 'python' | 'aggregating';

/** In the order in which they take turns. */
export const PEERS: Record<PeerName, Peer> = {
  bare: { title: 'bare Node.js process', onNode: true, start: startBare },
  pack: { title: 'this pack', onNode: true, start: startPack },
  'hand-made': { title: 'hand-made flow', onNode: true, start: startHandMade },
  python: { title: 'Python worker', onNode: false, start: startPython },
  aggregating: { title: 'this pack, aggregating', onNode: true, start: startAggregating },
};
