import { actionRegistry } from './action-registry';
import type { Certificates } from './certificates';
import { startCollector, type Collector } from './collector';
import { brokerNode, collectNode } from './flows';
import { startInfluxd, type Influxd } from './influxd';
import { startMosquitto, type Mosquitto, type MosquittoOptions } from './mosquitto';
import { packageRoot, startNodeRed, type Credentials, type FlowNode, type NodeRed, type Runtime } from './node-red';
import { SECRET, type Status } from './rig';
import { watchStatus } from './status';
import { startTcpProxy, type ProxyOptions, type TcpProxy } from './tcp-proxy';
import { until } from './until';

export { actionRegistry, SECRET };

export const VALVE = 'actions/hall/d1/valve';
export const RELAY = 'actions/hall/d1/relay';
export const PUBLISH = 'publish';
const BROKER = 'broker';

export interface ActionRigOptions {
  runtime?: Runtime;
  protocolVersion: 4 | 5;
  /** Seconds; default: 600. */
  expires?: number;
  /** Of the links of Node-RED and of the device. */
  link?: ProxyOptions;
  mosquitto?: MosquittoOptions;
  /** Of the core `mqtt-broker`. */
  broker?: Record<string, unknown>;
  brokerCredentials?: Record<string, string>;
  /** Files of the core `tls-config`: with it the session uses TLS. */
  tls?: Partial<Certificates>;
  verifyServer?: boolean;
  /** No InfluxDB: nothing is logged. */
  withoutLog?: boolean;
  trackResources?: boolean;
}

/** What a flow got of an action. */
export interface ReportedAction {
  topic: string;
  payload: Record<string, unknown>;
  action: { id: string; state: string; steps: Record<string, number>; acknowledgement?: Record<string, unknown> };
  rejected?: { code: string; reason: string; by: string; at: number };
}

/** Each step of an action, as it was logged in InfluxDB. */
export interface LoggedStep {
  id: string;
  topic: string;
  step: string;
  code: string | undefined;
  position: number;
  time: string;
}

export interface ActionRig {
  broker: Mosquitto;
  influxd: Influxd | undefined;
  collector: Collector;
  nodeRed: NodeRed;
  flows: FlowNode[];
  credentials: Credentials;
  /** Between Node-RED and the broker; between devices and the broker. */
  links: { nodeRed: TcpProxy; device: TcpProxy };
  /** Sends a message to `iot-sign-publish`; the id of the action when it is done there, undefined where there is none. Throws when nobody answers. */
  act(topic: string, payload: unknown): Promise<string | undefined>;
  reports(output: 'published' | 'acknowledged' | 'failed'): ReportedAction[];
  /** The report of one action at an output. */
  waitForReport(output: 'published' | 'acknowledged' | 'failed', id: string): Promise<ReportedAction>;
  /** All logged steps, the oldest first. */
  log(): Promise<LoggedStep[]>;
  status(): Status | undefined;
  waitForStatus(pattern: RegExp): Promise<Status>;
  pending(): Promise<number>;
}

/** Broker, Node-RED with `iot-sign-publish`, InfluxDB for its log, and a proxy in each link. */
export async function startActionRig(options: ActionRigOptions): Promise<ActionRig> {
  const { runtime = '4', protocolVersion, tls } = options;
  const [broker, collector, influxd] = await Promise.all([
    startMosquitto({ persistence: true, ...options.mosquitto }),
    startCollector(),
    options.withoutLog ? undefined : startInfluxd(),
  ]);
  await influxd?.createDatabase('iot', { raw: '7d', events: '365d' });
  const links = {
    nodeRed: await startTcpProxy(broker.port, options.link),
    device: await startTcpProxy(broker.port, options.link),
  };
  const z = 'tab';
  const at = { z, x: 100, y: 40 };
  const outputs = ['published', 'acknowledged', 'failed'] as const;
  const flows: FlowNode[] = [
    { id: z, type: 'tab', label: 'Actions', disabled: false, info: '' },
    brokerNode(BROKER, links.nodeRed.port, {
      protocolVersion: String(protocolVersion),
      ...(tls && { usetls: true, tls: 'tls' }),
      ...options.broker,
    }),
    ...(tls
      ? [
          {
            id: 'tls',
            type: 'tls-config',
            name: '',
            cert: tls.certificate ?? '',
            key: tls.key ?? '',
            ca: tls.authority ?? '',
            certname: '',
            keyname: '',
            caname: '',
            servername: '',
            verifyservercert: options.verifyServer ?? true,
            alpnprotocol: '',
          },
        ]
      : []),
    {
      id: 'registry',
      type: 'iot-registry',
      version: 1,
      name: '',
      source: 'inline',
      document: actionRegistry,
      file: '',
    },
    {
      id: 'keyring',
      type: 'iot-keyring',
      version: 1,
      name: '',
      mode: 'shared',
      encoding: 'text',
      previousUntil: '',
      file: '',
    },
    ...(influxd
      ? [
          {
            id: 'server',
            type: 'influx-server',
            version: 1,
            name: '',
            url: influxd.url,
            serverVersion: '1',
            organization: '',
            database: 'iot',
            tls: '',
            timeout: 30,
            queueLimit: 1024,
          },
        ]
      : []),
    { ...at, id: 'in', type: 'http in', name: '', url: '/act', method: 'post', upload: false, wires: [['split']] },
    {
      ...at,
      id: 'split',
      type: 'change',
      name: '',
      rules: [
        { t: 'set', p: 'topic', pt: 'msg', to: 'payload.topic', tot: 'msg' },
        { t: 'move', p: 'payload.payload', pt: 'msg', to: 'payload', tot: 'msg' },
      ],
      wires: [[PUBLISH]],
    },
    {
      ...at,
      id: PUBLISH,
      type: 'iot-sign-publish',
      version: 1,
      name: '',
      registry: 'registry',
      keyring: 'keyring',
      broker: BROKER,
      server: influxd ? 'server' : '',
      expires: options.expires ?? 600,
      wires: outputs.map((output) => [`collect ${output}`]),
    },
    ...outputs.map((output) => collectNode(`collect ${output}`, z, collector.port, output)),
    { ...at, id: 'complete', type: 'complete', name: '', scope: [PUBLISH], uncaught: false, wires: [['answer']] },
    { ...at, id: 'catch', type: 'catch', name: '', scope: [PUBLISH], uncaught: false, wires: [['refuse']] },
    {
      ...at,
      id: 'answer',
      type: 'change',
      name: '',
      rules: [{ t: 'set', p: 'payload', pt: 'msg', to: '{"id": action.id}', tot: 'jsonata' }],
      wires: [['respond']],
    },
    {
      ...at,
      id: 'refuse',
      type: 'change',
      name: '',
      rules: [
        { t: 'set', p: 'payload', pt: 'msg', to: '{"code": error.code}', tot: 'jsonata' },
        { t: 'set', p: 'statusCode', pt: 'msg', to: '500', tot: 'num' },
      ],
      wires: [['respond']],
    },
    { ...at, id: 'respond', type: 'http response', name: '', statusCode: '', headers: {}, wires: [] },
  ];
  const credentials: Credentials = {
    keyring: { secret: SECRET },
    ...(options.brokerCredentials && { [BROKER]: options.brokerCredentials }),
  };
  const nodeRed = await startNodeRed({
    runtime,
    flows,
    credentials,
    settings: { mqttReconnectTime: 200 },
    ...(options.trackResources && { trackResources: true }),
  });
  const status = watchStatus(packageRoot, nodeRed.url);
  const reports = (output: string): ReportedAction[] => collector.messages(output) as unknown as ReportedAction[];
  return {
    broker,
    influxd,
    collector,
    nodeRed,
    flows,
    credentials,
    links,
    async act(topic, payload) {
      const answer = await nodeRed.post('act', { topic, payload });
      const { id, code } = (answer.body ?? {}) as { id?: string; code?: string };
      if (answer.status !== 200) throw new Error(code ?? `answered ${answer.status}: ${answer.text}`);
      return id;
    },
    reports,
    waitForReport: async (output, id) =>
      (await until(`${id} is reported as ${output}`, () =>
        reports(output).find(({ action }) => action.id === id),
      )) as ReportedAction,
    async log() {
      const points = (await influxd?.points('iot', 'events', 'actions')) ?? [];
      return points
        .map(({ tags, fields, time }) => ({
          id: fields['id'] ?? '',
          topic: `actions/${tags['site'] ?? ''}/${tags['device'] ?? ''}/${tags['action'] ?? ''}`,
          step: tags['step'] ?? '',
          code: fields['code'],
          position: Number(fields['position']),
          time,
        }))
        .sort((left, right) => (BigInt(left.time) < BigInt(right.time) ? -1 : 1));
    },
    status: () => status(PUBLISH),
    waitForStatus: async (pattern) =>
      (await until(
        `the status matches ${String(pattern)}`,
        () => status(PUBLISH),
        (seen) => pattern.test(`${seen?.fill ?? ''} ${seen?.shape ?? ''} ${seen?.text ?? ''}`),
      )) ?? {},
    pending: async () => (await nodeRed.metrics()).sum('mqtt2influx_actions_pending', { node: PUBLISH }),
  };
}
