import { beforeAll, describe, expect, test } from 'vitest';
import { expectAccountsBalance, messagesOf } from '../support/accounting';
import { registryDocument } from '../support/flows';
import { float, hmac, Literal, nowNanoseconds, sign, signedTime, type Value } from '../support/messages';
import type { FlowNode, Runtime } from '../support/node-red';
import { ids, labels, SECRET, startRig, type Rig } from '../support/rig';

const SENSOR = 'sensors/hall/d1/climate';
const ALARM = 'alarms/hall/d1/smoke';
const SECOND = 1_000_000_000n;
const MAX_BYTES = 2000;

/** Sends what is rejected in once more, without a change, so that each message comes out twice. */
function withLoop(flows: FlowNode[]): FlowNode[] {
  const loop: FlowNode = {
    id: 'once more',
    type: 'function',
    z: ids.tab,
    name: '',
    func: 'if (msg.again) return null;\nmsg.again = true;\nreturn msg;',
    outputs: 1,
    x: 1,
    y: 1,
    wires: [[ids.verify]],
  };
  for (const node of flows) {
    if (node.id !== ids.verify && node.id !== ids.route) continue;
    (node['wires'] as string[][]).at(-1)?.push(loop.id);
  }
  return [...flows, loop];
}

interface Rejected extends Record<string, unknown> {
  again?: boolean;
  payload: Buffer;
  received: Buffer;
  topic: string;
  rejected: { code: string; reason: string; by: string; at: number; faults?: { path: string; reason: string }[] };
}

const now = nowNanoseconds();
const at = (offset: bigint) => signedTime(now + offset);
const reading = (payload: Record<string, Value> = {}) =>
  sign({ ...at(0n), temperature: float(20), ...payload }, SECRET);
const signedText = (payload: string) => `{"hmac":"${hmac(SECRET, payload)}","payload":${payload}}`;

interface Case {
  name: string;
  by: string;
  label: string;
  code: string;
  reason: RegExp;
  topic?: string;
  message: string | Buffer;
  faults?: unknown;
}

const verify = { by: ids.verify, label: labels.unverified };
const route = { by: ids.route, label: labels.unrouted };

const cases: Case[] = [
  { ...verify, name: 'no JSON', code: 'malformed', reason: /./, message: 'hello' },
  { ...verify, name: 'no text at all', code: 'malformed', reason: /./, message: Buffer.from([0xff, 0xfe, 0x00, 0x7b]) },
  { ...verify, name: 'an empty message', code: 'malformed', reason: /./, message: '' },
  { ...verify, name: 'no hmac', code: 'malformed', reason: /hmac/, message: '{"payload":{"ts":1,"ts_ns":0}}' },
  {
    ...verify,
    name: 'a member twice',
    code: 'malformed',
    reason: /temperature/,
    message: signedText(`{"temperature":1.5,"temperature":1.5,"ts":${at(0n).ts},"ts_ns":0}`),
  },
  {
    ...verify,
    name: 'too many bytes',
    code: 'too-large',
    reason: /2,?000/,
    message: reading({ note: 'x'.repeat(MAX_BYTES) }),
  },
  {
    ...verify,
    name: 'another key',
    code: 'bad-signature',
    reason: /./,
    message: sign({ ...at(0n), temperature: float(20) }, 'other'),
  },
  {
    ...verify,
    name: 'a changed value',
    code: 'bad-signature',
    reason: /./,
    message: reading().replace('20.0', '21.0'),
  },
  {
    ...verify,
    name: 'no timestamp',
    code: 'bad-timestamp',
    reason: /ts/,
    message: sign({ temperature: float(20) }, SECRET),
  },
  { ...verify, name: 'a float as ts', code: 'bad-timestamp', reason: /ts/, message: reading({ ts: float(at(0n).ts) }) },
  {
    ...verify,
    name: 'ts_ns of a second',
    code: 'bad-timestamp',
    reason: /ts_ns/,
    message: reading({ ts_ns: 1_000_000_000 }),
  },
  {
    ...verify,
    name: 'a reading older than its bucket keeps',
    code: 'stale',
    reason: /./,
    message: reading(at(-(7n * 86_400n + 60n) * SECOND)),
  },
  {
    ...verify,
    name: 'an alarm of yesterday',
    code: 'stale',
    reason: /./,
    topic: ALARM,
    message: sign({ ...at(-86_400n * SECOND), active: true, severity: 'low' }, SECRET),
  },
  { ...verify, name: 'a reading of tomorrow', code: 'future', reason: /./, message: reading(at(86_400n * SECOND)) },
  {
    ...route,
    name: 'a topic nobody registered',
    code: 'unregistered',
    reason: /sensors\/x/,
    topic: 'sensors/x',
    message: reading(),
  },
  {
    ...route,
    name: 'a value out of range',
    code: 'invalid-payload',
    reason: /temperature/,
    message: reading({ temperature: float(2_000_000_000) }),
    faults: [{ path: '/temperature', reason: expect.any(String) as string }],
  },
  {
    ...route,
    name: 'a text for a number, and a member nobody declared',
    code: 'invalid-payload',
    reason: /./,
    message: reading({ temperature: 'warm', colour: 'red' }),
    faults: [
      { path: '/colour', reason: expect.any(String) as string },
      { path: '/temperature', reason: expect.any(String) as string },
    ],
  },
  {
    ...route,
    name: 'an integer beyond 64 bits',
    code: 'invalid-payload',
    reason: /count/,
    message: reading({ count: new Literal('9223372036854775808') }),
    faults: [{ path: '/count', reason: expect.any(String) as string }],
  },
];

describe.each<Runtime>(['4', '5'])('rejected outputs on Node-RED %s', (runtime) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ runtime, pipeline: { maxBytes: MAX_BYTES }, change: withLoop });
  });

  test.each(cases)('$name: $code', async ({ by, label, code, reason, topic = SENSOR, message, faults }) => {
    const { collector, publisher, nodeRed } = rig;
    collector.clear();
    const before = messagesOf(await nodeRed.metrics(), by, '');
    await publisher.publish(topic, message);
    const rejected = (await collector.waitFor(label, 2)) as Rejected[];

    // The second one is the first one, sent in again as it came out.
    expect(rejected.map(({ again = false }) => again)).toEqual([false, true]);
    for (const { payload, received, topic: rejectedTopic, rejected: why, ...rest } of rejected) {
      expect(payload).toEqual(Buffer.from(message));
      expect(received).toEqual(Buffer.from(message));
      expect(rejectedTopic).toBe(topic);
      expect(why).toMatchObject({ code, by, at: expect.any(Number) as number });
      expect(why.reason).toMatch(reason);
      if (faults !== undefined) expect(why.faults).toEqual(faults);
      expect(rest).not.toHaveProperty('verified');
      expect(rest).not.toHaveProperty('point');
      expect(JSON.stringify(why)).not.toContain(SECRET);
    }
    const metrics = await nodeRed.metrics();
    expect((messagesOf(metrics, by, '')['rejected'] ?? 0) - (before['rejected'] ?? 0)).toBe(2);
    expectAccountsBalance(metrics);
    expect(collector.messages(labels.errors)).toEqual([]);
  });

  test('what was rejected is stored once the registry knows it', async () => {
    const { collector, publisher, nodeRed, influxd, broker, flow } = rig;
    collector.clear();
    const topic = 'cellar/d7/climate';
    await publisher.publish(topic, reading());
    const [first] = (await collector.waitFor(labels.unrouted, 1)) as Rejected[];
    expect(first?.rejected.code).toBe('unregistered');

    const extended = registryDocument.replace('sensors/{site}/{device}/climate', '"{site}/{device}/climate"');
    const mark = broker.mark();
    await nodeRed.deploy(
      flow.flows.map((node) => (node.id === ids.registry ? { ...node, document: extended } : node)),
      'full',
    );
    await rig.subscribed(mark);
    collector.clear();
    await publisher.publish(topic, first?.payload ?? '');
    await collector.waitFor(labels.written, 1);
    expect(await influxd.points('iot', 'raw', 'climate')).toEqual([
      { time: String(now), tags: { site: 'cellar', device: 'd7' }, fields: { temperature: '20' } },
    ]);
    expectAccountsBalance(await nodeRed.metrics());
  });
});

describe.each<Runtime>(['4', '5'])('without hmac-verify before it, on Node-RED %s', (runtime) => {
  test('registry-route rejects what nobody verified', async () => {
    const { collector, publisher, nodeRed } = await startRig({
      runtime,
      change: (flows) => flows.map((node) => (node.id === ids.mqttIn ? { ...node, wires: [[ids.route]] } : node)),
    });
    await publisher.publish(SENSOR, reading());
    const [message] = (await collector.waitFor(labels.unrouted, 1)) as Rejected[];
    expect(message?.rejected).toMatchObject({ code: 'unverified', by: ids.route });
    expect(message?.payload).toEqual(Buffer.from(reading()));
    expectAccountsBalance(await nodeRed.metrics());
  });
});
