import { collectNode, ids, labels } from './flows';
import { sign, signedTime } from './messages';
import type { FlowNode } from './node-red';
import { SECRET, startRig, type Rig, type RigOptions } from './rig';

export const ALARM_NODE = 'alarm';
/** What an operator sends, as JSON. */
export const OPERATOR_TOPIC = 'operator';
/** What goes to the node as a whole message, as if a flow had made it. */
export const HANDMADE_TOPIC = 'handmade';

export const alarmLabels = { changes: 'changes', everything: 'everything' } as const;

/** A message that `alarm-state` has let out. */
export interface AlarmMessage extends Record<string, unknown> {
  topic: string;
  alarm: {
    event: string;
    id: string;
    state: string;
    acknowledged: boolean;
    silent: boolean;
    since: number;
    changed: number;
    count: number;
    tags: Record<string, string>;
    severity?: string;
    by?: string;
    again?: boolean;
  };
  point: { time: string };
  rejected?: { code: string; reason: string; by: string; at: number };
}

/** Alarms and sensors, with intervals where one is given. */
export function alarmRegistry(intervals: { sensor?: string; alarm?: string } = {}): string {
  const line = (interval: string | undefined) => (interval === undefined ? '' : `\n    interval: ${interval}`);
  return `
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
      temperature: { type: float }${line(intervals.sensor)}
  alarms/{site}/{device}/smoke:
    kind: alarm
    device: "{site}/{device}"
    bucket: events
    measurement: alarms
    tags: { site: "{site}", device: "{device}", alarm: smoke }
    fields:
      active: { type: boolean }
      severity: { type: string, enum: [low, high, critical] }${line(intervals.alarm)}
  notes/{device}:
    kind: alarm
    device: "{device}"
    bucket: events
    measurement: notes
    tags: { device: "{device}" }
    fields:
      text: { type: string }
      active: { type: boolean, optional: true }
`;
}

export interface AlarmFlowOptions {
  onDelay?: number;
  offDelay?: number;
  /** The broker keeps the session while Node-RED is away. */
  session?: boolean;
  /** Of MQTT. Default: 3.1.1. */
  protocolVersion?: '4' | '5';
}

/** Puts an `alarm-state` behind the router of the pipeline, its changes into InfluxDB, and an operator beside it. */
export function withAlarms(flows: FlowNode[], collectorPort: number, options: AlarmFlowOptions = {}): FlowNode[] {
  const { onDelay = 0, offDelay = 0, session = false, protocolVersion = '4' } = options;
  const position = { z: ids.tab, x: 1, y: 1 };
  const kept = session ? { clientid: 'alarms', cleansession: false } : {};
  const changed = flows.map((node) => {
    if (node.id === ids.broker) return { ...node, ...kept, protocolVersion };
    // With MQTT 5, retained is what the broker had kept, as it always is with 3.1.1.
    if (node.id === ids.mqttIn) return { ...node, rap: false };
    if (node.id !== ids.route) return node;
    const [, , actions, rejected] = node['wires'] as string[][];
    return { ...node, wires: [[ids.write, ALARM_NODE], [ids.write, ALARM_NODE], actions, rejected] };
  });
  const collect = (label: string) => collectNode(`collect ${label}`, ids.tab, collectorPort, label);
  const input = (id: string, topic: string, to: string): FlowNode => ({
    ...position,
    id,
    type: 'mqtt in',
    name: '',
    topic,
    qos: '1',
    datatype: 'json',
    broker: ids.broker,
    nl: false,
    rap: false,
    rh: 0,
    inputs: 0,
    wires: [[to]],
  });
  return [
    ...changed,
    {
      ...position,
      id: ALARM_NODE,
      type: 'alarm-state',
      version: 1,
      name: '',
      registry: ids.registry,
      onDelay,
      offDelay,
      wires: [[`collect ${alarmLabels.changes}`, ids.write], [`collect ${alarmLabels.everything}`]],
    },
    input('operator in', OPERATOR_TOPIC, ALARM_NODE),
    input('handmade in', HANDMADE_TOPIC, 'handmade'),
    {
      ...position,
      id: 'handmade',
      type: 'function',
      name: '',
      func: 'return msg.payload;',
      outputs: 1,
      timeout: 0,
      noerr: 0,
      initialize: '',
      finalize: '',
      libs: [],
      wires: [[ALARM_NODE]],
    },
    collect(alarmLabels.changes),
    collect(alarmLabels.everything),
  ];
}

/** The topics of devices; those of operators have one level only. */
const DEVICE_TOPICS = '+/+/#';

export async function startAlarmRig(
  options: Omit<RigOptions, 'change'> & { alarms?: AlarmFlowOptions; registry?: string },
): Promise<Rig> {
  const { alarms, registry = alarmRegistry(), ...rest } = options;
  const rig = await startRig({
    ...rest,
    pipeline: { registry, topic: DEVICE_TOPICS, qos: '1', ...rest.pipeline },
    change: (flows) => withAlarms(flows, portOf(flows), alarms),
  });
  for (const topic of [OPERATOR_TOPIC, HANDMADE_TOPIC]) await rig.broker.waitForSubscription(topic);
  return rig;
}

function portOf(flows: FlowNode[]): number {
  return Number(flows.find(({ id }) => id === `collect ${labels.errors}`)?.['port']);
}

export const alarmTopic = (device: string): string => `alarms/hall/${device}/smoke`;
/** A signed alarm of a moment in nanoseconds. */
export function signedAlarm(time: bigint, active: boolean, severity = 'high', key = SECRET): string {
  return sign({ ...signedTime(time), active, severity }, key);
}
