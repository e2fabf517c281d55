import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { project } from './folder.mjs';
import { withOperations } from './operations.mjs';

const EXAMPLE = 'examples/01 - Store signed sensor messages in InfluxDB.json';

/** The pipeline of the import menu, with alarms and actions added to it. */
export function readExample() {
  const nodes = withOperations(JSON.parse(readFileSync(join(project, EXAMPLE), 'utf8')));
  const only = (type) => nodes.find((node) => node.type === type);
  return {
    nodes,
    registryDocument: only('iot-registry').document,
    masterSecret: only('iot-keyring').credentials.secret,
  };
}

/** The example with the broker and the InfluxDB of this run put in. */
export function demoFlow(nodes, { brokerPort, influxdb }) {
  const creation = new Set(nodes.filter((node) => node.type === 'http request').map((node) => node.id));
  return nodes.map((node) => {
    if (node.type === 'mqtt-broker') return { ...node, broker: '127.0.0.1', port: String(brokerPort) };
    if (node.type === 'influx-server') return { ...node, ...serverOptions(influxdb) };
    if (node.type === 'http request') return { ...node, url: `${influxdb.url}/query`, d: !canCreate(influxdb) };
    const starts = node.type === 'inject' && node.wires.flat().some((id) => creation.has(id));
    return starts ? { ...node, d: !canCreate(influxdb) } : node;
  });
}

/** Whether the example's first row creates the buckets; it speaks to an InfluxDB 1.x that asks for no password. */
export function canCreate({ version, credentials }) {
  return version === '1' && !credentials.username;
}

function serverOptions({ name, version, url, organization, database, credentials }) {
  return { name: `InfluxDB, ${name}`, serverVersion: version, url, organization, database, credentials };
}
