import type { Credentials, FlowNode } from './node-red';

/** Ids of the nodes of `pipeline()`, for statuses and metrics. */
export const ids = {
  tab: 'tab-pipeline',
  broker: 'broker',
  mqttIn: 'mqtt-in',
  registry: 'registry',
  keyring: 'keyring',
  server: 'server',
  verify: 'verify',
  route: 'route',
  write: 'write',
} as const;

/** Labels at which the collector receives what `pipeline()` lets out. */
export const labels = {
  /** rejected output of hmac-verify */
  unverified: 'rejected by hmac-verify',
  /** rejected output of registry-route */
  unrouted: 'rejected by registry-route',
  /** first output of influx-write */
  written: 'written',
  /** second output of influx-write */
  refused: 'refused',
  /** messages whose point influx-write has accepted: `point` only */
  accepted: 'accepted',
  /** Catch node: `error` */
  errors: 'errors',
} as const;

export interface PipelineOptions {
  brokerPort: number;
  influxUrl: string;
  collectorPort: number;
  /** YAML or JSON. */
  registry: string;
  secret: string;
  keyMode?: 'shared' | 'master';
  /** Topic filter of `mqtt in`. Default: `#`. */
  topic?: string;
  qos?: '0' | '1' | '2';
  /** What `mqtt in` puts out. Default: a Buffer. */
  datatype?: 'buffer' | 'utf8' | 'json' | 'auto-detect';
  serverVersion?: '1' | '2' | '3';
  database?: string;
  organization?: string;
  token?: string;
  username?: string;
  password?: string;
  /** Seconds. */
  timeout?: number;
  /** Megabytes. */
  queueLimit?: number;
  maxBytes?: number;
  /** More nodes of the same tab. */
  more?: FlowNode[];
}

export interface PipelineFlow {
  flows: FlowNode[];
  credentials: Credentials;
}

/** The flow with its secrets in it, as an editor sends it for a deploy. */
export function withCredentials({ flows, credentials }: PipelineFlow): FlowNode[] {
  return flows.map((node) => (credentials[node.id] ? { ...node, credentials: credentials[node.id] } : node));
}

/** A core `mqtt-broker` config node for loopback. */
export function brokerNode(id: string, port: number, more: Record<string, unknown> = {}): FlowNode {
  return {
    id,
    type: 'mqtt-broker',
    name: '',
    broker: '127.0.0.1',
    port: String(port),
    clientid: '',
    autoConnect: true,
    usetls: false,
    protocolVersion: '4',
    keepalive: '60',
    cleansession: true,
    autoUnsubscribe: true,
    ...more,
  };
}

/** A node that hands what it gets to the test's collector. */
export function collectNode(id: string, tab: string, port: number, label: string, properties = ''): FlowNode {
  return { id, type: 'test-collect', z: tab, name: label, port, label, properties, x: 600, y: 40, wires: [] };
}

const onlyProperties = new Map<string, string>([
  [labels.accepted, 'point'],
  [labels.errors, 'error'],
]);

/** The sensor pipeline, every output of it wired to the collector. */
export function pipeline(options: PipelineOptions): PipelineFlow {
  const { collectorPort, serverVersion = '1' } = options;
  const z = ids.tab;
  const sinks = Object.values(labels).map((label) => {
    const properties = onlyProperties.get(label) ?? '';
    return collectNode(`collect ${label}`, z, collectorPort, label, properties);
  });
  const to = (label: string): string[] => [`collect ${label}`];
  const position = { x: 100, y: 40 };
  const flows: FlowNode[] = [
    { id: z, type: 'tab', label: 'Pipeline', disabled: false, info: '' },
    brokerNode(ids.broker, options.brokerPort),
    {
      id: ids.registry,
      type: 'iot-registry',
      version: 1,
      name: '',
      source: 'inline',
      document: options.registry,
      file: '',
    },
    {
      id: ids.keyring,
      type: 'iot-keyring',
      version: 1,
      name: '',
      mode: options.keyMode ?? 'shared',
      encoding: 'text',
      previousUntil: '',
      file: '',
    },
    {
      id: ids.server,
      type: 'influx-server',
      version: 1,
      name: '',
      url: options.influxUrl,
      serverVersion,
      organization: options.organization ?? '',
      database: options.database ?? (serverVersion === '1' ? 'iot' : ''),
      tls: '',
      timeout: options.timeout ?? 30,
      queueLimit: options.queueLimit ?? 1024,
    },
    {
      ...position,
      id: ids.mqttIn,
      type: 'mqtt in',
      z,
      name: '',
      topic: options.topic ?? '#',
      qos: options.qos ?? '2',
      datatype: options.datatype ?? 'buffer',
      broker: ids.broker,
      nl: false,
      rap: true,
      rh: 0,
      inputs: 0,
      wires: [[ids.verify]],
    },
    {
      ...position,
      id: ids.verify,
      type: 'hmac-verify',
      version: 1,
      z,
      name: '',
      registry: ids.registry,
      keyring: ids.keyring,
      maxBytes: options.maxBytes ?? 65_536,
      wires: [[ids.route], to(labels.unverified)],
    },
    {
      ...position,
      id: ids.route,
      type: 'registry-route',
      version: 1,
      z,
      name: '',
      registry: ids.registry,
      wires: [[ids.write], [ids.write], [ids.write], to(labels.unrouted)],
    },
    {
      ...position,
      id: ids.write,
      type: 'influx-write',
      version: 1,
      z,
      name: '',
      server: ids.server,
      wires: [to(labels.written), to(labels.refused)],
    },
    // done() of influx-write is its word that the point is safe.
    {
      ...position,
      id: 'complete',
      type: 'complete',
      z,
      name: '',
      scope: [ids.write],
      uncaught: false,
      wires: [to(labels.accepted)],
    },
    { ...position, id: 'catch', type: 'catch', z, name: '', scope: null, uncaught: false, wires: [to(labels.errors)] },
    ...sinks,
    ...(options.more ?? []),
  ];
  const { token, username, password } = options;
  return {
    flows,
    credentials: {
      [ids.keyring]: { secret: options.secret },
      [ids.server]: {
        ...(token !== undefined && { token }),
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
      },
    },
  };
}

/** The registry of most tests: one kind of sensor, alarms, and an action. */
export const registryDocument = `
version: 1
buckets:
  raw: { retention: 7d }
  events: { retention: 365d }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    device: "{site}/{device}"
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float, minimum: -1000000, maximum: 1000000000 }
      count: { type: integer, optional: true }
      note: { type: string, optional: true }
  alarms/{site}/{device}/smoke:
    kind: alarm
    device: "{site}/{device}"
    bucket: events
    measurement: alarms
    tags: { site: "{site}", device: "{device}", alarm: smoke }
    fields:
      active: { type: boolean }
      severity: { type: string, enum: [low, high, critical] }
  actions/{site}/{device}/valve:
    kind: action
    device: "{site}/{device}"
    bucket: events
    measurement: actions
    tags: { site: "{site}", device: "{device}", action: valve }
    fields:
      id: { type: string }
      position: { type: float, minimum: 0, maximum: 100 }
    acknowledge: { topic: "actions/{site}/{device}/valve/ack", within: 10s }
`;
