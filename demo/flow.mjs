import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, folder, project } from './folder.mjs';
import { withActions, withOperations } from './operations.mjs';

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
 * InfluxDB in order beside it. All use the pipeline's InfluxDB, and the registry that also says what to aggregate.
 */
export function readExamples() {
  const pipeline = withOperations(read(PIPELINE));
  const backup = read(BACKUP);
  const aggregates = read(AGGREGATES);
  const document = withActions(only(aggregates, 'iot-registry').document);
  const others = [read(REGISTRY), aggregates, backup].flatMap((nodes) => besides(pipeline, nodes));
  const nodes = [...pipeline, ...others].map((node) => (node.type === 'iot-registry' ? { ...node, document } : node));
  return {
    nodes,
    registryDocument: document,
    masterSecret: only(nodes, 'iot-keyring').credentials.secret,
    /** Ids of the buttons that are pressed here, as a person would. */
    buttons: { backup: buttonOf(backup, 'backup'), verify: buttonOf(backup, 'verify') },
  };
}

const buttonOf = (nodes, payload) => nodes.find((node) => node.type === 'inject' && node.payload === payload).id;

/** The nodes of another example, with the registry and the server of the pipeline; nothing starts by itself. */
function besides(pipeline, nodes) {
  const shared = ['iot-registry', 'influx-server'];
  const substitutes = new Map(shared.map((type) => [only(nodes, type).id, only(pipeline, type).id]));
  return nodes
    .filter((node) => !shared.includes(node.type))
    .map((node) => {
      if (node.type === 'inject') return { ...node, once: false, repeat: '' };
      const { registry, server } = node;
      return {
        ...node,
        ...(registry && { registry: substitutes.get(registry) }),
        ...(server && { server: substitutes.get(server) }),
      };
    });
}

/** The examples with the broker and the InfluxDB of this run put in. */
export function demoFlow(nodes, { brokerPort, influxdb }) {
  const flow = nodes.map((node) => {
    if (node.type === 'mqtt-broker') return { ...node, broker: '127.0.0.1', port: String(brokerPort) };
    if (node.type === 'influx-server') return { ...node, ...serverOptions(influxdb) };
    if (node.type === 'influx-backup') return withResultsFile(node);
    // Into the log too, where it can be looked up after the demo has ended.
    if (node.type === 'debug' && node.complete === 'error') return { ...node, console: true };
    return node.type === 'http request' ? { ...node, ...requestOptions(node, influxdb) } : node;
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

/** The row that shows averages speaks to an InfluxDB 1.x that asks for no password. */
function requestOptions(node, { version, url, database, credentials }) {
  const path = node.url.replace(/^https?:\/\/[^/]+/, '').replace(/\bdb=\w+/, `db=${database}`);
  return { url: url + path, d: version !== '1' || Boolean(credentials.username) };
}
