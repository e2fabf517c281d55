import { ids, pipeline, type PipelineFlow } from '../support/flows';
import type { FlowNode } from '../support/node-red';
import { AGGREGATING_REGISTRY, BUCKET, DATABASE, MEASUREMENT, REGISTRY, SECRET, TOPIC_FILTER } from './load';

export interface Servers {
  brokerPort: number;
  influxUrl: string;
}

/** The pipeline of the tests, without what listens in on it. */
export function packFlow(
  { brokerPort, influxUrl }: Servers,
  datatype: 'buffer' | 'json' = 'buffer',
  registry = REGISTRY,
): PipelineFlow {
  const { flows, credentials } = pipeline({
    brokerPort,
    influxUrl,
    collectorPort: 0,
    registry,
    secret: SECRET,
    topic: TOPIC_FILTER,
    qos: '0',
    datatype,
    database: DATABASE,
  });
  const kept = new Set<string>(Object.values(ids));
  const nodes = flows.filter(({ id }) => kept.has(id));
  for (const node of nodes) {
    const wires = (node['wires'] ?? []) as string[][];
    node['wires'] = wires.map((output) => output.filter((id) => kept.has(id)));
  }
  return { flows: nodes, credentials };
}

/** The same with a node that aggregates. */
export function aggregatingFlow(servers: Servers): PipelineFlow {
  const { flows, credentials } = packFlow(servers, 'buffer', AGGREGATING_REGISTRY);
  const aggregate: FlowNode = {
    id: 'aggregate',
    type: 'influx-aggregate',
    version: 1,
    z: ids.tab,
    x: 100,
    y: 140,
    registry: ids.registry,
    server: ids.server,
    grace: '0',
    wires: [[], []],
  };
  return { flows: [...flows, aggregate], credentials };
}

const VERIFY = `
const { hmac, payload } = msg.payload;
const sorted = (value) => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
};
const expected = crypto.createHmac('sha256', ${JSON.stringify(SECRET)}).update(JSON.stringify(sorted(payload))).digest('base64');
if (expected !== hmac) return null;
msg.payload = payload;
return msg;
`;

const VALIDATE = `
const isBetween = (value, minimum, maximum) => typeof value === 'number' && value >= minimum && value <= maximum;
const { temperature, humidity, ts, ts_ns } = msg.payload;
if (Object.keys(msg.payload).length !== 4 || !isBetween(temperature, -40, 85) || !isBetween(humidity, 0, 100)) return null;
if (!Number.isInteger(ts) || !Number.isInteger(ts_ns)) return null;
const [, site, device] = msg.topic.split('/');
msg.payload = {
  measurement: ${JSON.stringify(MEASUREMENT)},
  tags: { site, device },
  fields: { temperature, humidity },
  timestamp: ts + String(ts_ns).padStart(9, '0'),
};
return msg;
`;

/** What one builds by hand from core nodes and the usual InfluxDB nodes: two function nodes, a join of 1000, a batch. */
export function handMadeFlow(servers: Servers): PipelineFlow {
  const intake = packFlow(servers, 'json').flows.filter(({ type }) => ['tab', 'mqtt-broker', 'mqtt in'].includes(type));
  const common = { z: ids.tab, x: 100, y: 40 };
  const functionNode = { ...common, type: 'function', outputs: 1, timeout: 0, noerr: 0, initialize: '', finalize: '' };
  const own: FlowNode[] = [
    {
      ...functionNode,
      // The wire from "mqtt in" leads to this id.
      id: ids.verify,
      func: VERIFY,
      libs: [{ var: 'crypto', module: 'crypto' }],
      wires: [['validate']],
    },
    { ...functionNode, id: 'validate', func: VALIDATE, libs: [], wires: [['join']] },
    {
      ...common,
      id: 'join',
      type: 'join',
      mode: 'custom',
      build: 'array',
      property: 'payload',
      propertyType: 'msg',
      key: 'topic',
      joiner: '\\n',
      joinerType: 'str',
      useparts: false,
      accumulate: false,
      timeout: '1',
      count: '1000',
      wires: [['batch']],
    },
    {
      ...common,
      id: 'batch',
      type: 'influxdb batch',
      influxdb: 'database',
      precision: 'n',
      retentionPolicy: BUCKET,
      wires: [],
    },
    {
      id: 'database',
      type: 'influxdb',
      hostname: '127.0.0.1',
      port: new URL(servers.influxUrl).port,
      protocol: 'http',
      database: DATABASE,
      usetls: false,
      tls: '',
      influxdbVersion: '1.x',
    },
  ];
  return { flows: [...intake, ...own], credentials: {} };
}
