import { connect } from '../../nodes/lib/influx/connect';
import { storeLines } from './backup-points';
import { startCollector, type Collector, type CollectedMessage } from './collector';
import { collectNode, ids, withCredentials } from './flows';
import { startInfluxd, type Influxd } from './influxd';
import { startNodeRed, type FlowNode, type NodeRed, type Runtime } from './node-red';

export const SERVER_NAME = 'house';
const z = 'tab-backup';
const position = { x: 100, y: 40, z };

const registryDocument = `
version: 1
buckets:
  raw: { retention: 30d }
  events: { retention: 365d }
topics:
  sensors/{device}:
    kind: sensor
    bucket: raw
    measurement: climate
    tags: { device: "{device}" }
    fields: { temperature: { type: float } }
`;

export interface BackupFlowOptions {
  influxUrl: string;
  collectorPort: number;
  directory: string;
  schedule?: string;
  keep?: number;
}

/** A backup node that takes its messages from `POST /backup`, with its outputs and errors at the collector. */
export function backupFlow({
  influxUrl,
  collectorPort,
  directory,
  schedule = '',
  keep = 0,
}: BackupFlowOptions): FlowNode[] {
  return withCredentials({
    credentials: {},
    flows: [
      { id: z, type: 'tab', label: 'Backup', disabled: false, info: '' },
      {
        id: ids.registry,
        type: 'iot-registry',
        version: 1,
        name: '',
        source: 'inline',
        document: registryDocument,
        file: '',
      },
      {
        id: ids.server,
        type: 'influx-server',
        version: 1,
        name: SERVER_NAME,
        url: influxUrl,
        serverVersion: '1',
        organization: '',
        database: 'iot',
        tls: '',
        timeout: 30,
        queueLimit: 64,
      },
      {
        ...position,
        id: 'in',
        type: 'http in',
        name: '',
        url: '/backup',
        method: 'post',
        upload: false,
        wires: [['take']],
      },
      {
        ...position,
        id: 'take',
        type: 'function',
        name: '',
        func: 'const { req, res, payload } = msg; return [{ ...payload }, { req, res, payload: "taken" }];',
        outputs: 2,
        wires: [['backup'], ['out']],
      },
      { ...position, id: 'out', type: 'http response', name: '', statusCode: '', headers: {}, wires: [] },
      {
        ...position,
        id: 'backup',
        type: 'influx-backup',
        version: 1,
        name: '',
        registry: ids.registry,
        server: ids.server,
        directory,
        schedule,
        keep,
        wires: [['collect result'], ['collect progress']],
      },
      { ...position, id: 'catch', type: 'catch', name: '', scope: null, uncaught: false, wires: [['collect errors']] },
      collectNode('collect result', z, collectorPort, 'result'),
      collectNode('collect progress', z, collectorPort, 'progress'),
      collectNode('collect errors', z, collectorPort, 'errors', 'error'),
    ],
  });
}

/** InfluxDB 1.x, a Node-RED with a backup node, and who hears what that says. */
export interface BackupRig {
  influxd: Influxd;
  collector: Collector;
  nodeRed: NodeRed;
  /** Sends a message to the node. */
  send(message: Record<string, unknown>): Promise<void>;
  /** Sends a message and waits for its result. */
  command(message: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Sends a message and waits for its error. */
  failure(message: Record<string, unknown>): Promise<{ code?: string; message: string }>;
  /** Deploys the node with another schedule. */
  reschedule(schedule: string): Promise<void>;
}

export async function startBackupRig(
  runtime: Runtime,
  options: Pick<BackupFlowOptions, 'directory' | 'schedule' | 'keep'>,
): Promise<BackupRig> {
  const [influxd, collector] = await Promise.all([startInfluxd(), startCollector()]);
  await influxd.createDatabase('iot', { raw: '30d', events: '365d' });
  const place = { influxUrl: influxd.url, collectorPort: collector.port, ...options };
  const flows = backupFlow(place);
  const nodeRed = await startNodeRed({ runtime, flows });
  const next = async (label: string, message: Record<string, unknown>): Promise<CollectedMessage> => {
    const before = collector.messages(label).length;
    await rig.send(message);
    const messages = await collector.waitFor(label, before + 1, 300_000);
    return messages[before] ?? {};
  };
  const rig: BackupRig = {
    influxd,
    collector,
    nodeRed,
    async send(message) {
      const answer = await nodeRed.post('backup', message);
      if (answer.status !== 200) throw new Error(`the flow answered ${answer.status}: ${answer.text}`);
    },
    command: async (message) => (await next('result', message))['payload'] as Record<string, unknown>,
    failure: async (message) => (await next('errors', message))['error'] as { code?: string; message: string },
    reschedule: (schedule) => nodeRed.deploy(backupFlow({ ...place, schedule }), 'nodes'),
  };
  return rig;
}

/** Writes lines to a retention policy of `iot`, past Node-RED. */
export async function writeLines({ influxd }: BackupRig, bucket: string, lines: readonly string[]): Promise<void> {
  const server = connect({ version: '1', url: influxd.url, database: 'iot', timeout: 30_000 });
  try {
    await storeLines(server, bucket, lines);
  } finally {
    server.close();
  }
}
