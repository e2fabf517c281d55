import { beforeAll, expect, test } from 'vitest';
import { actionRegistry, SECRET } from '../support/action-rig';
import { makeAuthority } from '../support/certificates';
import { brokerNode } from '../support/flows';
import { startMosquitto, type Mosquitto } from '../support/mosquitto';
import { packageRoot, startNodeRed, type Credentials, type FlowNode, type NodeRed } from '../support/node-red';
import type { Status } from '../support/rig';
import { watchStatus } from '../support/status';
import { until } from '../support/until';

interface Case {
  broker: Mosquitto;
  /** Paths for the core `tls-config`; without: no TLS. */
  tls?: { ca?: string; cert?: string; key?: string };
  credentials?: Record<string, string>;
  /** What the log says; without: it connects. */
  says?: RegExp;
}

const cases = new Map<string, Case>();
let nodeRed: NodeRed;
let status: (node: string) => Status | undefined;

function nodesOf(name: string, { broker, tls }: Case): FlowNode[] {
  const ids = { broker: `${name} broker`, tls: `${name} tls` };
  const at = { z: 'tab', x: 100, y: 40, name };
  return [
    brokerNode(ids.broker, broker.port, { protocolVersion: '5', ...(tls && { usetls: true, tls: ids.tls }) }),
    {
      id: ids.tls,
      type: 'tls-config',
      name: '',
      cert: tls?.cert ?? '',
      key: tls?.key ?? '',
      ca: tls?.ca ?? '',
      certname: '',
      keyname: '',
      caname: '',
      servername: '',
      verifyservercert: true,
      alpnprotocol: '',
    },
    {
      ...at,
      id: name,
      type: 'iot-sign-publish',
      version: 1,
      registry: 'registry',
      keyring: 'keyring',
      broker: ids.broker,
      server: '',
      expires: 60,
      wires: [[], [], []],
    },
    {
      ...at,
      id: `${name} mqtt in`,
      type: 'mqtt in',
      topic: 'sensors/#',
      qos: '1',
      datatype: 'buffer',
      broker: ids.broker,
      nl: false,
      rap: true,
      rh: 0,
      inputs: 0,
      wires: [[]],
    },
  ];
}

beforeAll(async () => {
  const [ours, theirs] = await Promise.all([makeAuthority(), makeAuthority()]);
  const [good, expired, elsewhere, client, stranger] = await Promise.all([
    ours.forServer(),
    ours.forServer({ days: -1 }),
    ours.forServer({ names: 'DNS:elsewhere.example' }),
    ours.forClient('node-red'),
    theirs.forClient('stranger'),
  ]);
  const [server, strict, old, moved, open, guarded] = await Promise.all([
    startMosquitto({ tls: good }),
    startMosquitto({ tls: good, requireCertificate: true }),
    startMosquitto({ tls: expired }),
    startMosquitto({ tls: elsewhere }),
    startMosquitto(),
    startMosquitto({ tls: good, users: { pump: 'right' } }),
  ]);
  const ca = ours.authority;
  const certificate = { cert: client.certificate, key: client.key };
  const theirCertificate = { cert: stranger.certificate, key: stranger.key };
  const user = (password: string) => ({ user: 'pump', password });
  for (const [name, made] of Object.entries<Case>({
    'right authority': { broker: server, tls: { ca } },
    'client certificate': { broker: strict, tls: { ca, ...certificate } },
    'right password': { broker: guarded, tls: { ca }, credentials: user('right') },
    'wrong authority': {
      broker: server,
      tls: { ca: theirs.authority },
      says: /certificate of the broker is not trusted/,
    },
    'expired certificate': { broker: old, tls: { ca }, says: /certificate of the broker has expired/ },
    'wrong host': { broker: moved, tls: { ca }, says: /certificate of the broker is for another host name/ },
    'no client certificate': { broker: strict, tls: { ca }, says: /The broker asks for a client certificate/ },
    'wrong client certificate': {
      broker: strict,
      tls: { ca, ...theirCertificate },
      says: /The broker does not accept the client certificate/,
    },
    'no TLS there': { broker: open, tls: { ca }, says: /without an answer: check the port, and whether TLS/ },
    'TLS not chosen': { broker: server, says: /without an answer: check the port, and whether TLS/ },
    'wrong password': { broker: guarded, tls: { ca }, credentials: user('wrong'), says: /Not authorized/ },
  })) {
    cases.set(name, made);
  }
  const credentials: Credentials = { keyring: { secret: SECRET } };
  for (const [name, { credentials: given }] of cases) if (given) credentials[`${name} broker`] = given;
  const config = { version: 1, name: '', file: '' };
  nodeRed = await startNodeRed({
    runtime: '4',
    settings: { mqttReconnectTime: 500 },
    credentials,
    flows: [
      { id: 'tab', type: 'tab', label: 'TLS', disabled: false, info: '' },
      { ...config, id: 'registry', type: 'iot-registry', source: 'inline', document: actionRegistry },
      { ...config, id: 'keyring', type: 'iot-keyring', mode: 'shared', encoding: 'text', previousUntil: '' },
      ...[...cases].flatMap(([name, made]) => nodesOf(name, made)),
    ],
  });
  status = watchStatus(packageRoot, nodeRed.url);
});

const connecting = ['right authority', 'client certificate', 'right password'];
const failing = [
  'wrong authority',
  'expired certificate',
  'wrong host',
  'no client certificate',
  'wrong client certificate',
  'no TLS there',
  'TLS not chosen',
  'wrong password',
];

test.each(connecting)('%s: it connects, and so does "mqtt in"', async (name) => {
  const look = () => [status(name)?.fill, status(`${name} mqtt in`)?.fill];
  await until('both are connected', look, (fills) => fills.every((fill) => fill === 'green'));
});

test.each(failing)('%s: it does not connect, and says why', async (name) => {
  const { broker, says = /^$/ } = cases.get(name) ?? {};
  const seen = await until(
    'the status is red',
    () => status(name),
    (shown) => shown?.fill === 'red',
  );
  expect(seen?.text).not.toBe('');
  const line = new RegExp(`\\[iot-sign-publish:${name}\\] No connection to \\S+:${String(broker?.port)}: (.*)`);
  await nodeRed.waitForLog(line);
  expect(line.exec(nodeRed.log())?.[1]).toMatch(says);
  expect(nodeRed.log()).not.toContain('right authority] No connection');
});
