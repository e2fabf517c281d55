import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Verifier, type Verdict } from '../../nodes/hmac-verify/verify';
import { Keyring } from '../../nodes/iot-keyring/keyring';
import { compose } from '../../nodes/iot-sign-publish/compose';
import { loadRegistry } from '../../nodes/lib/registry/load';
import { expectAccountsBalance, messagesOf } from '../support/accounting';
import { rounds, seededRandom } from '../support/campaign';
import { compileC, compileSketch } from '../support/devices/arduino';
import { ACTIONS, compileSketches, DEVICE, FEW, kits, SECRET, type Kit } from '../support/devices/kits';
import { startMosquitto, type Mosquitto } from '../support/mosquitto';
import { collectNode } from '../support/flows';
import { type FlowNode } from '../support/node-red';
import { run, startChild } from '../support/processes';
import { startPublisher } from '../support/publisher';
import { ids, startRig } from '../support/rig';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const ACKNOWLEDGED = 'acknowledged';

const document = `
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
      temperature: { type: float }
      humidity: { type: float, optional: true }
  actions/{site}/{device}/valve:
    kind: action
    device: "{site}/{device}"
    bucket: events
    measurement: actions
    tags: { site: "{site}", device: "{device}", action: valve }
    fields:
      position: { type: float, minimum: 0, maximum: 100 }
    additional: drop
    acknowledge: { topic: "actions/{site}/{device}/valve/ack", within: 10s }
`;

const keyring = new Keyring({ mode: 'master', encoding: 'text', secret: SECRET });
const loaded = loadRegistry(document);
if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
const { registry } = loaded;

beforeAll(() => compileSketches(keyring.keyOf(DEVICE)), 120_000);

interface SignedAction {
  id: string;
  message: string;
}

/** Signs an action as the node iot-sign-publish does. */
function signAction(payload: Record<string, unknown>, options: { at?: number; expires?: number } = {}): SignedAction {
  const { at = Date.now(), expires = 60 } = options;
  const id = randomUUID();
  const time = String(BigInt(at) * 1_000_000n);
  const composed = compose(ACTIONS, payload, { registry, keyring, expires, newId: () => id, time, now: at });
  if (!composed.ok) throw new Error(composed.reason);
  return { id, message: composed.message };
}

/** Adds an operator to the pipeline: `inject/operator` has iot-sign-publish send an action. */
function withOperator(flows: FlowNode[]): FlowNode[] {
  const port = flows.find((node) => node.type === 'test-collect')?.['port'] as number;
  const at = { z: ids.tab, name: '', x: 100, y: 40 };
  return [
    ...flows,
    {
      ...at,
      id: 'operator',
      type: 'inject',
      props: [{ p: 'payload' }, { p: 'topic', vt: 'str' }],
      topic: ACTIONS,
      payload: '{"position":40}',
      payloadType: 'json',
      repeat: '',
      crontab: '',
      once: false,
      wires: [['publish']],
    },
    {
      ...at,
      id: 'publish',
      type: 'iot-sign-publish',
      version: 1,
      registry: ids.registry,
      keyring: ids.keyring,
      broker: ids.broker,
      server: ids.server,
      expires: 60,
      wires: [[], [`collect ${ACKNOWLEDGED}`], []],
    },
    collectNode(`collect ${ACKNOWLEDGED}`, ids.tab, port, ACKNOWLEDGED),
  ];
}

/** Signed times of a test, none before another. */
let latest = 0;
function later(): number {
  latest = Math.max(latest + 1, Date.now());
  return latest;
}

interface Answer {
  verdict: Verdict;
  id: unknown;
  /** By the device: it has not performed the action. */
  isRefused: boolean;
}

/** What the operator's side sees at the acknowledge topic: each message with its verdict. */
async function watchAnswers(broker: Mosquitto): Promise<Answer[]> {
  const verifier = new Verifier({ registry: () => registry, keyring, maxBytes: 65_536 });
  const answers: Answer[] = [];
  const client = await connectAsync(broker.url);
  onTestFinished(() => client.endAsync(true));
  client.on('message', (topic, message) => {
    const verdict = verifier.verify(message, topic);
    const { id, ok } = verdict.ok ? verdict.payload : {};
    answers.push({ verdict, id, isRefused: ok === false });
  });
  await client.subscribeAsync(`${ACTIONS}/ack`, { qos: 1 });
  return answers;
}

describe.each(Object.entries(kits))('a device in %s', (_language, kit) => {
  test('talks to the pack: its readings are stored, and an action of iot-sign-publish is acknowledged', async () => {
    const rig = await startRig({
      runtime: '4',
      pipeline: { registry: document, secret: SECRET, keyMode: 'master' },
      change: withOperator,
    });
    const device = await kit.start(rig.broker, tempDirectory('device'));
    await kit.sense(rig.broker);
    await rig.nodeRed.post('inject/operator', {});
    await until('the action is acknowledged', () => rig.collector.messages(ACKNOWLEDGED).length === 1);
    expect(rig.collector.messages(ACKNOWLEDGED)[0]).toMatchObject({
      payload: { position: 40 },
      action: { topic: ACTIONS, device: DEVICE, state: 'acknowledged', acknowledgement: { position: 40 } },
    });

    const metrics = await until(
      'the acknowledgement has come by the pipeline too',
      () => rig.nodeRed.metrics(),
      (seen) => seen.sum('mqtt2influx_messages_routed_total', { kind: 'acknowledgement' }) === 1,
    );
    expect(messagesOf(metrics, ids.verify, 'hmac-verify')).toMatchObject({ rejected: 0 });
    expectAccountsBalance(metrics);
    const [reading] = await until(
      'the reading is stored',
      () => rig.influxd.points('iot', 'raw', 'climate'),
      (points) => points.length > 0,
    );
    expect(reading?.tags).toEqual({ site: 'house', device: 'kitchen' });
    expect(Number(reading?.fields['temperature'])).toBeGreaterThan(10);
    await device.kill();
  });

  test('performs an action once, whatever comes beside it', async () => {
    const broker = await startMosquitto();
    const publisher = await startPublisher(broker.url);
    const answers = await watchAnswers(broker);
    const folder = tempDirectory('device');
    const device = await kit.start(broker, folder);
    const send = (message: string, topic = ACTIONS): Promise<void> => publisher.publish(topic, message, { qos: 2 });

    const first = signAction({ position: 12.5 });
    const expired = signAction({ position: 99 }, { at: Date.now() - 120_000 });
    const future = signAction({ position: 98 }, { at: Date.now() + 3_600_000 });
    const again = signAction({ position: 97 });
    await send(first.message.replace('12.5', '13.5'));
    await send('{"position":96}');
    await send('');
    await send(signAction({ position: 95 }).message.replace(/"hmac":"..../, '"hmac":"AAAA'));
    await send(expired.message);
    await send(future.message);
    await send(first.message);
    await send(first.message);
    await until('both copies are answered', () => answers.length === 2);
    expect(kit.state(folder)).toMatchObject({ position: 12.5, moves: 1 });

    await device.kill();
    const restarted = await kit.start(broker, folder);
    await send(first.message);
    await send(again.message);
    await until('the copy and the new action are answered', () => answers.length === 4);
    expect(answers.map(({ id }) => id)).toEqual([first.id, first.id, first.id, again.id]);
    expect(answers.every(({ verdict }) => verdict.ok)).toBe(true);
    expect(kit.state(folder)).toMatchObject({ position: 97, moves: 2 });
    await restarted.kill();
  });

  test.each([
    ['is not performed again where it was performed', true],
    ['is performed where it was not', false],
  ])('an action that a crash interrupted %s', async (_what, moved) => {
    const broker = await startMosquitto();
    const publisher = await startPublisher(broker.url);
    const answers = await watchAnswers(broker);
    const folder = tempDirectory('device');
    const action = signAction({ position: 60 }, { expires: 3600 });
    kit.interrupt(folder, action.id, moved);
    const device = await kit.start(broker, folder);
    await publisher.publish(ACTIONS, action.message, { qos: 2 });
    await until('it is answered', () => answers.length === 1);
    expect(answers[0]).toMatchObject({ id: action.id, verdict: { ok: true } });
    expect(kit.state(folder)).toMatchObject(moved ? { position: 1, moves: 1 } : { position: 60, moves: 2 });
    await device.kill();
  });

  test('refuses what is older than what it has performed, and what it cannot do, and says so', async () => {
    const broker = await startMosquitto();
    const publisher = await startPublisher(broker.url);
    const answers = await watchAnswers(broker);
    const folder = tempDirectory('device');
    const device = await kit.start(broker, folder);
    const actions = [100, 0].map((position) => signAction({ position }, { at: later() }));
    const [older = { id: '', message: '' }, newer = { id: '', message: '' }] = actions;
    const send = (message: string): Promise<void> => publisher.publish(ACTIONS, message, { qos: 2 });
    await send(newer.message);
    await send(older.message);
    await until('both are answered', () => answers.length === 2);
    expect(answers.map(({ id, isRefused }) => [id, isRefused])).toEqual([
      [newer.id, false],
      [older.id, true],
    ]);
    expect(answers[1]?.verdict).toMatchObject({
      ok: true,
      payload: { ok: false, reason: expect.stringMatching(/^outdated/) as string },
    });
    await device.kill();
    const restarted = await kit.start(broker, folder);
    await send(older.message);
    await until('it is refused again', () => answers.length === 3);
    expect(answers[2]).toMatchObject({ id: older.id, isRefused: true });
    expect(kit.state(folder)).toMatchObject({ position: 0, moves: 1 });
    await restarted.kill();
  });

  test('an action whose end could not be stored is not performed again after another one', async () => {
    const broker = await startMosquitto();
    const publisher = await startPublisher(broker.url);
    const answers = await watchAnswers(broker);
    const folder = tempDirectory('device');
    const device = await kit.start(broker, folder);
    const [first, second] = [signAction({ position: 100 }), signAction({ position: 0 })];
    const send = ({ message }: SignedAction): Promise<void> => publisher.publish(ACTIONS, message, { qos: 2 });
    const file = join(folder, 'fault');
    writeFileSync(file, 'full');
    await send(first);
    await until('the valve has moved, the end is not stored', () => device.judged() === 1);
    expect(kit.state(folder)).toMatchObject({ position: 100, moves: 1 });
    // What became of the first cannot be stored, so the second has to wait.
    await send(second);
    await until('the second is refused', () => device.judged() === 2);
    expect(kit.state(folder)).toMatchObject({ position: 100, moves: 1 });
    expect(answers).toEqual([]);

    rmSync(file);
    for (const action of [second, first, second]) await send(action);
    await until('all are answered', () => answers.length === 3);
    expect(answers.map(({ id }) => id)).toEqual([second.id, first.id, second.id]);
    expect(kit.state(folder)).toMatchObject({ position: 0, moves: 2 });
    await device.kill();
  });

  test('an action that a crash interrupted is not performed again after another one', async () => {
    const broker = await startMosquitto();
    const publisher = await startPublisher(broker.url);
    const folder = tempDirectory('device');
    const device = await kit.start(broker, folder);
    const [first, second] = [signAction({ position: 100 }), signAction({ position: 0 })];
    const file = join(folder, 'fault');
    writeFileSync(file, 'crash');
    await publisher.publish(ACTIONS, first.message, { qos: 2 });
    await until('the device has crashed', () => device.ended());
    expect(kit.state(folder)).toMatchObject({ position: 100, moves: 1 });
    await device.kill();
    // The broker forgets that the first one is unacknowledged, so the second comes before it.
    await broker.kill();
    rmSync(file);
    await broker.restart();
    const answers = await watchAnswers(broker);
    const restarted = await kit.start(broker, folder);
    for (const { message } of [second, first]) await publisher.publish(ACTIONS, message, { qos: 2 });
    await until('both are answered', () => answers.length === 2);
    expect(answers.map(({ id }) => id)).toEqual([second.id, first.id]);
    expect(kit.state(folder)).toMatchObject({ position: 0, moves: 2 });
    await restarted.kill();
  });

  test('performs each action once while it is killed again and again', async () => {
    const broker = await startMosquitto({ configuration: ['max_inflight_messages 1000'] });
    const publisher = await startPublisher(broker.url);
    const answers = await watchAnswers(broker);
    const folder = tempDirectory('device');
    const random = seededRandom();
    const below = (limit: number): number => Math.floor(random() * limit);
    const count = rounds(40, 1000);
    const answered = new Set<unknown>();
    const newest: string[] = [];
    let device = await kit.start(broker, folder);
    let kills = 0;
    for (let sent = 0; sent < count;) {
      // A few at a time, each once or more, in any order: what is signed before one that was taken up is refused.
      const some: SignedAction[] = [];
      for (let length = Math.min(1 + below(3), count - sent); length > 0; length--) {
        some.push(signAction({ position: (sent + some.length) % 100 }, { at: later(), expires: 3600 }));
      }
      sent += some.length;
      newest.push(some.at(-1)?.id ?? '');
      const sendAny = async (times: number): Promise<void> => {
        for (let time = 0; time < times; time++) {
          const { message } = some[below(some.length)] as SignedAction;
          await publisher.publish(ACTIONS, message, { qos: 2 });
        }
      };
      await sendAny(2 * some.length);
      if (random() < 0.5) {
        // Some kills come before the work on it, some within, some after.
        await setTimeout(random() * 8);
        await device.kill();
        kills++;
        device = await kit.start(broker, folder);
      }
      // The same signed messages again until each is answered.
      let resend = 0;
      await until('the actions are answered', async () => {
        for (const { id } of answers) answered.add(id);
        if (some.every(({ id }) => answered.has(id))) return true;
        if (Date.now() >= resend) {
          await sendAny(some.length);
          resend = Date.now() + 250;
        }
        return false;
      });
    }
    expect(answers.every(({ verdict }) => verdict.ok)).toBe(true);
    expect(answered.size).toBe(count);
    const refused = new Set(answers.filter(({ isRefused }) => isRefused).map(({ id }) => id));
    const performed = new Set(answers.filter(({ isRefused }) => !isRefused).map(({ id }) => id));
    expect([...refused].filter((id) => performed.has(id) || newest.includes(String(id)))).toEqual([]);
    expect(performed.size + refused.size).toBe(count);
    expect(kit.state(folder)).toMatchObject({ position: (count - 1) % 100, moves: performed.size });
    expect(kills).toBeGreaterThan(count / 8);
    await device.kill();
  });
});

describe.each(Object.entries(kits).slice(1))('a device with little memory in %s', (_language, kit) => {
  test('does not perform what it could not remember', async () => {
    const broker = await startMosquitto();
    const publisher = await startPublisher(broker.url);
    const answers = await watchAnswers(broker);
    const folder = tempDirectory('device');
    const device = await kit.start(broker, folder, FEW);
    const actions = [10, 20, 30].map((position) => signAction({ position }, { expires: 3600 }));
    for (const { message } of [...actions, actions[0] ?? { message: '' }]) {
      await publisher.publish(ACTIONS, message, { qos: 2 });
    }
    await until('the copy of the first is answered', () => answers.length === 3);
    const [first, second] = actions.map(({ id }) => id);
    expect(answers.map(({ id }) => id)).toEqual([first, second, first]);
    expect(kit.state(folder)).toMatchObject({ position: 20, moves: 2 });
    await device.kill();
  });
});

// The clients of the boards do not tell whether a message was retained.
test('a device in Python does not take an action that the broker has kept for a fresh one', async () => {
  const kit = kits['Python'] as Kit;
  const broker = await startMosquitto();
  const publisher = await startPublisher(broker.url);
  const answers = await watchAnswers(broker);
  const folder = tempDirectory('device');
  const [kept, fresh] = [signAction({ position: 10 }), signAction({ position: 20 })];
  await publisher.publish(ACTIONS, kept.message, { qos: 2, retain: true });
  const device = await kit.start(broker, folder);
  await publisher.publish(ACTIONS, fresh.message, { qos: 2 });
  await until('the fresh one is answered', () => answers.length === 1);
  expect(answers[0]?.id).toBe(fresh.id);
  expect(kit.state(folder)).toMatchObject({ position: 20, moves: 1 });
  await device.kill();
});

test.each([
  ['yes', 'answered again', '1 1 4'],
  ['no', 'performed', '1 0 5'],
  ['unknown', 'left alone', '1 2 4'],
])('in C, an action that the hardware answers %s for is %s, whatever came in between', async (answer, _what, said) => {
  // Another action is to be performed, IOT_PERFORM, IOT_AGAIN or IOT_INTERRUPTED, and how many records were stored.
  expect(await run(await compileC('actions.c'), [answer])).toBe(`${said}\n`);
});

test('the sketch stops with a message when the key was mistyped', async () => {
  const board = await compileSketch(DEVICE, 'the key of this device', FEW);
  const child = await startChild(board, [], { cwd: tempDirectory('device') });
  await until('it says so', () => child.output().includes('stopped: KEY in config.h'));
  expect(child.output()).not.toContain('subscribe');
  await child.kill();
});
