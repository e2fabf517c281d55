import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, folder, project } from './folder.mjs';
import { withOperations } from './operations.mjs';

const PIPELINE = '01 - Store signed sensor messages in InfluxDB';
const REGISTRY = '05 - Make InfluxDB match the registry';
const AGGREGATES = '06 - Aggregate by the registry';
const BACKUP = '07 - Back up and restore';

/** Where `influx-backup` puts its copies. */
export const backupDirectory = () => folder('backup');

/** Where the flow writes down what `influx-backup` says, a line each. */
export const resultsFile = () => join(data, 'backup-results.jsonl');

const RESULTS_NODE = 'demo-backup-results';

const read = (name) => JSON.parse(readFileSync(join(project, 'examples', `${name}.json`), 'utf8'));
const only = (nodes, type) => nodes.find((node) => node.type === type);

/**
 * The flows of the import menu that the demo runs: the pipeline, with alarms and actions added to it, and what keeps
 * InfluxDB in order beside it. All share the registry, the key, the broker and the InfluxDB.
 */
export function readExamples() {
  const pipeline = withOperations(read(PIPELINE));
  const backup = read(BACKUP);
  const nodes = [...pipeline];
  for (const example of [read(REGISTRY), read(AGGREGATES), backup]) nodes.push(...besides(nodes, example));
  return {
    nodes,
    registryDocument: only(nodes, 'iot-registry').document,
    masterSecret: only(nodes, 'iot-keyring').credentials.secret,
    /** Ids of the buttons that are pressed here, as a person would. */
    buttons: { backup: buttonOf(backup, 'backup'), verify: buttonOf(backup, 'verify') },
  };
}

const buttonOf = (nodes, payload) => nodes.find((node) => node.type === 'inject' && node.payload === payload).id;

/** The nodes of another example that are not there yet; nothing starts by itself. */
function besides(nodes, example) {
  return example
    .filter(({ id }) => !nodes.some((node) => node.id === id))
    .map((node) => (node.type === 'inject' ? { ...node, once: false, repeat: '' } : node));
}

/** The examples with the broker and the InfluxDB of this run put in. */
export function demoFlow(nodes, { brokerPort, influxdb }) {
  const flow = nodes.map((node) => {
    if (node.type === 'mqtt-broker') return { ...node, broker: '127.0.0.1', port: String(brokerPort) };
    if (node.type === 'influx-server') return { ...node, ...serverOptions(influxdb) };
    if (node.type === 'influx-backup') return withResultsFile(node);
    // Into the log too, where it can be looked up after the demo has ended.
    return node.type === 'debug' && node.complete === 'error' ? { ...node, console: true } : node;
  });
  return [...flow, resultsNode(nodes)];
}

function withResultsFile(node) {
  const [results, ...others] = node.wires;
  return { ...node, directory: backupDirectory(), wires: [[...results, RESULTS_NODE], ...others] };
}

function resultsNode(nodes) {
  const { z, x, y } = only(nodes, 'influx-backup');
  return {
    id: RESULTS_NODE,
    type: 'file',
    z,
    name: 'For the demo',
    filename: resultsFile(),
    filenameType: 'str',
    appendNewline: true,
    createDir: false,
    overwriteFile: 'false',
    encoding: 'utf8',
    x: x + 210,
    y: y + 100,
    wires: [[]],
  };
}

// The folder of its copies is named after it.
function serverOptions({ version, url, organization, database, credentials }) {
  return { name: `InfluxDB-${version}.x`, serverVersion: version, url, organization, database, credentials };
}
