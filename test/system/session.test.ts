import { connectAsync, type MqttClient } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { expectAccountsBalance } from '../support/accounting';
import { PUBLISH, RELAY, SECRET, VALVE, startActionRig, type ActionRig } from '../support/action-rig';
import { atEndOfFile } from '../support/cleanup';
import { nowNanoseconds, sign, signedTime } from '../support/messages';
import { startPublisher } from '../support/publisher';
import { startReceiver, type Receiver } from '../support/receiver';
import { until } from '../support/until';

const ANSWERS = `${VALVE}/ack`;
const OWN_ID = /^m2i[0-9a-f]{20}$/;
const HOUR = 3_600_000_000_000n;

async function startDevice(rig: ActionRig, topic: string, protocolVersion: 4 | 5 = 4): Promise<Receiver> {
  const acknowledges = topic === VALVE;
  return startReceiver(rig.broker.url, { clientId: topic, topic, protocolVersion, key: SECRET, acknowledges });
}

async function connectClient(url: string, options: Parameters<typeof connectAsync>[1]): Promise<MqttClient> {
  const client = await connectAsync(url, options);
  client.on('error', () => client.connected);
  atEndOfFile(() => client.endAsync(true));
  return client;
}

async function done(rig: ActionRig, topic: string, payload: unknown): Promise<string> {
  return (await rig.act(topic, payload)) ?? '';
}

function ownClientId(rig: ActionRig, since = 0): string {
  return rig.broker.clientIds(since).find((id) => OWN_ID.test(id)) ?? '';
}

describe.each([
  { protocolVersion: 4, runtime: '4' },
  { protocolVersion: 5, runtime: '5' },
] as const)('actions over MQTT $protocolVersion, Node-RED $runtime', ({ protocolVersion, runtime }) => {
  test('are published, performed, acknowledged and logged', async () => {
    const rig = await startActionRig({ protocolVersion, runtime });
    const valve = await startDevice(rig, VALVE, protocolVersion);
    const relay = await startDevice(rig, RELAY, protocolVersion);
    await rig.waitForStatus(/green dot connected/);

    const valveAction = await done(rig, VALVE, { position: 50 });
    const relayAction = await done(rig, RELAY, '{"position": 1.0}');
    const acknowledged = await rig.waitForReport('acknowledged', valveAction);
    const published = await rig.waitForReport('published', relayAction);
    await rig.waitForReport('published', valveAction);
    expect(acknowledged).toMatchObject({
      topic: VALVE,
      payload: { id: valveAction, position: 50 },
      action: { state: 'acknowledged', acknowledgement: { id: valveAction } },
    });
    expect(published).toMatchObject({ topic: RELAY, payload: { position: 1 }, action: { state: 'published' } });
    const log = await until(
      'all steps are logged',
      () => rig.log(),
      (seen) => seen.length >= 7,
    );
    const stepsOf = (id: string): string[] => log.filter((step) => step.id === id).map(({ step }) => step);
    expect(stepsOf(valveAction)).toEqual(['created', 'sent', 'published', 'acknowledged']);
    expect(stepsOf(relayAction)).toEqual(['created', 'sent', 'published']);
    await until('nothing is pending', async () => (await rig.pending()) === 0);
    await valve.stop();
    await relay.stop();
    expect(await valve.log()).toEqual([{ id: valveAction, topic: VALVE, position: 50, outcome: 'performed' }]);
    expect(await relay.log()).toEqual([{ id: relayAction, topic: RELAY, position: 1, outcome: 'performed' }]);
  });

  test('are uncertain when the broker has lost the session, or are sent again to a device that answers', async () => {
    const rig = await startActionRig({ protocolVersion, runtime });
    await rig.waitForStatus(/connected/);
    await rig.broker.freeze();
    const relayAction = await done(rig, RELAY, { position: 1 });
    const valveAction = await done(rig, VALVE, { position: 2 });
    await until('both are sent', async () => (await rig.log()).filter(({ step }) => step === 'sent').length === 2);
    await rig.broker.kill();
    rig.broker.forget();
    await rig.broker.restart();
    const relay = await startDevice(rig, RELAY, protocolVersion);
    const valve = await startDevice(rig, VALVE, protocolVersion);

    const failed = await rig.waitForReport('failed', relayAction);
    expect(failed).toMatchObject({ action: { state: 'failed' }, rejected: { code: 'uncertain', by: PUBLISH } });
    await rig.waitForReport('acknowledged', valveAction);
    await until('nothing is pending', async () => (await rig.pending()) === 0);
    const codes = await until(
      'the failure is logged',
      async () => (await rig.log()).filter(({ code }) => code !== undefined),
      ({ length }) => length > 0,
    );
    expect(codes).toMatchObject([{ id: relayAction, step: 'failed', code: 'uncertain' }]);
    await relay.stop();
    await valve.stop();
    expect(await relay.log()).toEqual([]);
    expect(await valve.log()).toEqual([{ id: valveAction, topic: VALVE, position: 2, outcome: 'performed' }]);
  });
});

test.each([
  { protocolVersion: 4, seen: ['expired'] },
  // The broker knows the time, and keeps nothing longer.
  { protocolVersion: 5, seen: [] },
] as const)('over MQTT $protocolVersion, an action that has expired is not sent, or not performed', async (version) => {
  const { protocolVersion, seen } = version;
  const rig = await startActionRig({ protocolVersion, expires: 1 });
  await rig.waitForStatus(/connected/);
  // The broker cannot be reached.
  rig.links.nodeRed.setOpen(false);
  await rig.waitForStatus(/red ring/);
  const unsent = await done(rig, RELAY, { position: 1 });
  expect((await rig.waitForReport('failed', unsent)).rejected).toMatchObject({ code: 'expired' });
  rig.links.nodeRed.setOpen(true);
  await rig.waitForStatus(/connected|done|expired/);
  // The device cannot be reached: first it gets a session there.
  const relay = await startDevice(rig, RELAY, protocolVersion);
  await relay.stop();
  const late = await done(rig, RELAY, { position: 2 });
  await rig.waitForReport('published', late);
  // Nobody answers.
  const unanswered = await done(rig, VALVE, { position: 3 });
  const { rejected, action } = await rig.waitForReport('failed', unanswered);
  expect(rejected).toMatchObject({ code: 'unacknowledged' });
  expect(Object.keys(action.steps)).toEqual(['created', 'sent', 'published', 'failed']);
  await relay.restart();
  await until('nothing is pending', async () => (await rig.pending()) === 0);
  // What comes after it shows that nothing else comes before.
  const now = nowNanoseconds();
  const timely = { id: 'timely', position: 4, expires: Number(now / 1_000_000_000n) + 60, ...signedTime(now) };
  const publisher = await startPublisher(rig.broker.url);
  await publisher.publish(RELAY, sign(timely, SECRET), { qos: 2 });
  await relay.waitForLog(seen.length + 1);
  await relay.stop();
  expect(await relay.log()).toEqual([
    ...seen.map((outcome) => ({ id: late, topic: RELAY, position: 2, outcome })),
    { id: 'timely', topic: RELAY, position: 4, outcome: 'performed' },
  ]);
  const ends = await until(
    'both are logged',
    async () => (await rig.log()).filter(({ step }) => step === 'failed').map(({ id, code }) => [id, code]),
    ({ length }) => length >= 2,
  );
  expect(ends).toEqual([
    [unsent, 'expired'],
    [unanswered, 'unacknowledged'],
  ]);
});

test('an action that the broker refuses is refused, over MQTT 5', async () => {
  const acl = ['topic readwrite actions/hall/d1/relay', 'topic read actions/#', 'topic read sensors/#'];
  const rig = await startActionRig({ protocolVersion: 5, mosquitto: { acl } });
  const relay = await startDevice(rig, RELAY, 5);
  const allowed = await done(rig, RELAY, { position: 1 });
  const refused = await done(rig, 'actions/hall/d2/relay', { position: 1 });
  await rig.waitForReport('published', allowed);
  const { rejected } = await rig.waitForReport('failed', refused);
  expect(rejected).toMatchObject({ code: 'refused', reason: expect.stringMatching(/Not authorized/) as string });
  await until('it is logged', async () => (await rig.log()).some(({ code }) => code === 'refused'));
  await relay.stop();
  expect(await relay.log()).toHaveLength(1);
});

test('answers that are forged, reflected, moved, stale, from the future, retained or replayed change nothing and are counted', async () => {
  const rig = await startActionRig({ protocolVersion: 4, withoutLog: true });
  const publisher = await startPublisher(rig.broker.url);
  const sent: string[] = [];
  const eavesdropper = await connectClient(rig.broker.url, {});
  eavesdropper.on('message', (_topic, message) => sent.push(message.toString()));
  await eavesdropper.subscribeAsync(VALVE, { qos: 2 });
  const now = nowNanoseconds();
  const answer = (id: string, time = now, key = SECRET): string => sign({ id, ...signedTime(time) }, key);
  const rejected = async (): Promise<Record<string, number>> => {
    const { samples } = await rig.nodeRed.metrics();
    const codes = samples.filter(({ name }) => name === 'mqtt2influx_acknowledgements_rejected_total');
    return Object.fromEntries(codes.map(({ labels, value }) => [labels['code'] ?? '', value]));
  };
  await rig.waitForStatus(/connected/);
  const id = await done(rig, VALVE, { position: 1 });
  await rig.waitForReport('published', id);
  await until('somebody has read it', () => sent.length > 0);

  const bad: [code: string, topic: string, message: string][] = [
    ['malformed', ANSWERS, JSON.stringify({ id, ts: 1, ts_ns: 0 })],
    ['bad-signature', ANSWERS, answer(id, now, 'another secret')],
    ['bad-timestamp', ANSWERS, sign({ id }, SECRET)],
    ['stale', ANSWERS, answer(id, now - 2n * HOUR)],
    ['future', ANSWERS, answer(id, now + HOUR)],
    // What the action itself would prove: its bytes come back on the topic of answers.
    ['not-an-answer', ANSWERS, sent[0] ?? ''],
    ['unknown-action', 'actions/hall/d2/valve/ack', answer(id)],
    ['unknown-action', ANSWERS, answer('0123456789abcdef')],
  ];
  // Kept by the broker while we were away, it comes when we subscribe again. First, while nothing is on the way to us that
  // would come twice.
  rig.links.nodeRed.setOpen(false);
  await publisher.publish(ANSWERS, answer(id), { qos: 0, retain: true });
  rig.links.nodeRed.setOpen(true);
  await until('it is counted', async () => (await rejected())['retained'] === 1);
  for (const [, topic, message] of bad) await publisher.publish(topic, message, { qos: 1 });
  const counted = await until(
    'all are counted',
    rejected,
    (codes) => Object.values(codes).reduce((sum, count) => sum + count, 0) >= bad.length + 1,
  );
  expect(counted).toEqual({
    malformed: 1,
    'bad-signature': 1,
    'bad-timestamp': 1,
    stale: 1,
    future: 1,
    'not-an-answer': 1,
    'unknown-action': 2,
    retained: 1,
  });
  expect(await rig.pending()).toBe(1);
  expect(rig.reports('acknowledged')).toEqual([]);

  await publisher.publish(ANSWERS, answer(id, now + 1n), { qos: 1 });
  await rig.waitForReport('acknowledged', id);
  for (let copy = 0; copy < 3; copy++) await publisher.publish(ANSWERS, answer(id, now + 1n), { qos: 1 });
  await until('the copies are counted', async () => (await rejected())['repeated'] === 3);
  expect(rig.reports('acknowledged')).toHaveLength(1);
  const metrics = await rig.nodeRed.metrics();
  expect(metrics.sum('mqtt2influx_acknowledgements_accepted_total')).toBe(1);
  expect(metrics.sum('mqtt2influx_acknowledgements_received_total')).toBe(
    1 + metrics.sum('mqtt2influx_acknowledgements_rejected_total'),
  );
});

test('a deploy leaves nothing behind, and what is pending goes on after it', async () => {
  const rig = await startActionRig({ protocolVersion: 4, runtime: '5', withoutLog: true, trackResources: true });
  const { nodeRed, flows, credentials, links } = rig;
  const withSecrets = flows.map((node) => ({
    ...node,
    ...(credentials[node.id] && { credentials: credentials[node.id] }),
  }));
  const alive = async (): Promise<string[]> => (await nodeRed.process()).resources.map(({ type }) => type);
  await rig.waitForStatus(/connected/);
  links.nodeRed.setOpen(false);
  await rig.waitForStatus(/red ring/);
  const id = await done(rig, RELAY, { position: 1 });
  await nodeRed.deploy(withSecrets, 'full');
  expect(await rig.pending()).toBe(1);
  links.nodeRed.setOpen(true);
  await rig.waitForReport('published', id);
  await until('nothing is pending', async () => (await rig.pending()) === 0);
  expectAccountsBalance(await nodeRed.metrics());

  // The node is removed with what it has not sent.
  links.nodeRed.setOpen(false);
  await done(rig, RELAY, { position: 2 });
  expect((await alive()).length).toBeGreaterThan(0);
  await nodeRed.deploy([], 'full');
  await until('nothing of the pack is alive', alive, (left) => left.length === 0).catch(async () =>
    expect((await nodeRed.process()).resources).toEqual([]),
  );
  links.nodeRed.setOpen(true);
  await nodeRed.deploy(withSecrets, 'full');
  await rig.waitForStatus(/connected/);
  expect(await rig.pending()).toBe(0);
  expect(rig.reports('published')).toHaveLength(1);
});

test('the client id is stable and unique, and a takeover is reported instead of fought over', async () => {
  const rig = await startActionRig({ protocolVersion: 4, withoutLog: true });
  const other = await startActionRig({ protocolVersion: 4, withoutLog: true });
  await rig.waitForStatus(/connected/);
  await other.waitForStatus(/connected/);
  const id = ownClientId(rig);
  expect(id).toMatch(OWN_ID);
  expect(ownClientId(other)).toMatch(OWN_ID);
  expect(ownClientId(other)).not.toBe(id);
  const mark = rig.broker.mark();
  await rig.nodeRed.restart();
  await rig.waitForStatus(/connected/);
  expect(ownClientId(rig, mark)).toBe(id);

  const rival = await connectClient(rig.broker.url, { clientId: id, clean: false, reconnectPeriod: 100 });
  const status = await rig.waitForStatus(/^red dot/);
  expect(status.text).toMatch(/client id in use elsewhere/);
  await rig.nodeRed.waitForLog(/Another client uses the client id of this installation/);
  await until('the other one has it', () => rival.connected);
  const connects = rig.broker.clientIds().length;
  await done(rig, RELAY, { position: 1 });
  expect(await rig.pending()).toBe(1);
  expect(rig.broker.clientIds()).toHaveLength(connects);
});

test('sensor messages go once and only while connected, alarms wait, and nothing is retained', async () => {
  const rig = await startActionRig({ protocolVersion: 5, withoutLog: true });
  await rig.waitForStatus(/connected/);
  const seen: { topic: string; qos: number; retain: boolean; payload: Record<string, unknown> }[] = [];
  const listener = await connectClient(rig.broker.url, { protocolVersion: 5 });
  await listener.subscribeAsync(['sensors/#', 'alarms/#'], { qos: 2, rap: true });
  listener.on('message', (topic, message, { qos, retain }) => {
    const { payload } = JSON.parse(message.toString()) as { payload: Record<string, unknown> };
    seen.push({ topic, qos, retain, payload });
  });
  const sensor = 'sensors/hall/d1/climate';
  const alarm = 'alarms/hall/d1/smoke';
  await rig.act(sensor, '{"temperature": 20.5, "count": 9007199254740993}');
  await until('it has come', () => seen.length === 1);
  expect(seen[0]).toMatchObject({ topic: sensor, qos: 0, retain: false, payload: { temperature: 20.5 } });
  expect(Object.keys(seen[0]?.payload ?? {})).toEqual(['count', 'temperature', 'ts', 'ts_ns']);

  rig.links.nodeRed.setOpen(false);
  await rig.waitForStatus(/red ring/);
  await expect(rig.act(sensor, { temperature: 21 })).rejects.toThrow('broker-unavailable');
  await rig.act(alarm, { active: true });
  rig.links.nodeRed.setOpen(true);
  await until('the alarm has come', () => seen.length === 2);
  expect(seen[1]).toMatchObject({ topic: alarm, qos: 1, retain: false, payload: { active: true } });

  await rig.act(alarm, { active: 'yes' });
  await rig.act('alarms/nowhere', { active: true });
  await rig.act(ANSWERS, { id: '1' });
  const codes = await until(
    'all are rejected',
    () => rig.reports('failed').map(({ rejected }) => rejected?.code),
    (all) => all.length === 3,
  );
  expect(codes).toEqual(['invalid-payload', 'unregistered', 'unregistered']);
  await until('nothing is pending', async () => (await rig.pending()) === 0);
  const metrics = await rig.nodeRed.metrics();
  expectAccountsBalance(metrics);
  expect(metrics.sum('mqtt2influx_messages_rejected_total', { node: PUBLISH })).toBe(3);
  expect(metrics.sum('mqtt2influx_messages_failed_total', { code: 'broker-unavailable' })).toBe(1);
});

test.each([4, 5] as const)(
  'actions are uncertain when the broker has a session that is not the one in which they were sent, over MQTT %i',
  async (protocolVersion) => {
    const rig = await startActionRig({ protocolVersion });
    await rig.waitForStatus(/connected/);
    const clientId = ownClientId(rig);
    await rig.broker.freeze();
    const action = await done(rig, RELAY, { position: 1 });
    await until('it is sent', async () => (await rig.log()).some(({ step }) => step === 'sent'));
    await rig.nodeRed.kill();
    await rig.broker.kill();
    rig.broker.forget();
    await rig.broker.restart();
    // As if Node-RED had connected, and had not got the answer any more.
    const session = { clientId, clean: false, protocolVersion, properties: { sessionExpiryInterval: 600 } };
    await (await connectAsync(rig.broker.url, session)).endAsync();
    const relay = await startDevice(rig, RELAY, protocolVersion);
    await rig.nodeRed.restart();
    const { rejected } = await rig.waitForReport('failed', action);
    expect(rejected).toMatchObject({ code: 'uncertain', reason: expect.stringMatching(/kept the session/) as string });
    const next = await done(rig, RELAY, { position: 2 });
    await rig.waitForReport('published', next);
    await relay.waitForLog(1);
    await relay.stop();
    expect(await relay.log()).toEqual([{ id: next, topic: RELAY, position: 2, outcome: 'performed' }]);
  },
);
