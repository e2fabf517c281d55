import { brokerNode } from '../support/flows';
import type { FlowNode } from '../support/node-red';

/** A flow with one of each of our nodes, as a person has saved it, and a broker. */
export function sampleFlow(influxUrl = 'http://localhost:8086'): FlowNode[] {
  return [
    { id: 'registry', type: 'iot-registry', name: '', version: 1, source: 'inline', document: DOCUMENT, file: '' },
    {
      id: 'keyring',
      type: 'iot-keyring',
      name: '',
      version: 1,
      mode: 'master',
      encoding: 'text',
      previousUntil: '',
      file: '',
    },
    {
      id: 'server',
      type: 'influx-server',
      name: '',
      version: 1,
      url: influxUrl,
      serverVersion: '1',
      organization: '',
      database: 'iot',
      tls: '',
      timeout: 30,
      queueLimit: 1024,
    },
    {
      id: 'verify',
      type: 'hmac-verify',
      name: '',
      version: 1,
      registry: 'registry',
      keyring: 'keyring',
      maxBytes: 65_536,
      x: 200,
      y: 120,
      wires: [['route'], []],
    },
    {
      id: 'route',
      type: 'registry-route',
      name: '',
      version: 1,
      registry: 'registry',
      x: 420,
      y: 120,
      wires: [['write'], ['write'], ['write'], []],
    },
    {
      id: 'write',
      type: 'influx-write',
      name: '',
      version: 1,
      server: 'server',
      x: 640,
      y: 120,
      wires: [[], []],
    },
    {
      id: 'provision',
      type: 'influx-provision',
      name: '',
      version: 1,
      registry: 'registry',
      server: 'server',
      schedule: '',
      x: 210,
      y: 320,
      wires: [[], []],
    },
    {
      id: 'aggregate',
      type: 'influx-aggregate',
      name: '',
      version: 1,
      registry: 'registry',
      server: 'server',
      grace: 30,
      x: 430,
      y: 320,
      wires: [[], []],
    },
    {
      id: 'backup',
      type: 'influx-backup',
      name: '',
      version: 1,
      registry: 'registry',
      server: 'server',
      directory: 'backup',
      schedule: '',
      keep: 0,
      x: 650,
      y: 320,
      wires: [[], []],
    },
    {
      id: 'alarms',
      type: 'alarm-state',
      name: '',
      version: 1,
      registry: 'registry',
      onDelay: 0,
      offDelay: 0,
      x: 640,
      y: 180,
      wires: [[], []],
    },
    {
      id: 'publish',
      type: 'iot-sign-publish',
      name: '',
      version: 1,
      registry: 'registry',
      keyring: 'keyring',
      broker: 'broker',
      server: 'server',
      expires: 60,
      x: 420,
      y: 180,
      wires: [[], [], []],
    },
    brokerNode('broker', 1883),
  ];
}

export const DOCUMENT = `version: 1
buckets:
  raw: { retention: 1d }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    device: "{site}/{device}"
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float, unit: °C }
`;
