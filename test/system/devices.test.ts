import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
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
import { compileSketch } from '../support/devices/arduino';
import { startBridgedDevice } from '../support/devices/bridge';
import { startMosquitto, type Mosquitto } from '../support/mosquitto';
import { collectNode } from '../support/flows';
import { packageRoot, type FlowNode } from '../support/node-red';
import { run, startChild } from '../support/processes';
import { startPublisher } from '../support/publisher';
import { ids, startRig } from '../support/rig';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const SECRET = 'example secret, replace it';
const DEVICE = 'house/kitchen';
const ACTIONS = `actions/${DEVICE}/valve`;
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

interface SignedAction {
  id: string;
  message: string;
}

/** Signs an action as the node iot-sign-publish does. */
function signAction(payload: Record<string, unknown>, options: { at?: number; expires?: number } = {}): SignedAction {
  const { at = Date.now(), expires = 60 } = options;
  const id = randomUUID();
  const time = String(BigInt(at) * 1_000_000n);
  const composed = compose(ACTIONS, payload, { registry, keyring, expires, newId: () => id, time });
  if (!composed.ok) throw new Error(composed.reason);
  return { id, message: composed.message };
}

/** A device under test. Its state outlives it, in `folder`. */
interface Kit {
  /** Starts what acts; resolves when it has subscribed. */
  start(broker: Mosquitto, folder: string, remembered?: number): Promise<{ kill(): Promise<void>; log(): string }>;
  /** Publishes one reading at least. */
  sense(broker: Mosquitto): Promise<void>;
  /** Where the valve stands, and how often it has moved. */
  state(folder: string): { position: number; moves: number };
  /** Leaves what a crash leaves between the beginning of an action and its end, with the valve moved by it or not yet. */
  interrupt(folder: string, id: string, moved: boolean): void;
}

const python = process.env['TEST_PYTHON'] ?? 'python3';
const pythonFolder = join(packageRoot, 'examples/devices/python');
const environment = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
/** Actions that a device remembers: as many as it needs, and few. */
const MANY = 2000;
const FEW = 2;
const sketches = new Map<number, string>();

beforeAll(async () => {
  for (const remembered of [MANY, FEW]) {
    sketches.set(remembered, await compileSketch(DEVICE, keyring.keyOf(DEVICE), remembered));
  }
}, 120_000);

function stateOfFile(folder: string): { position: number; moves: number } {
  const file = join(folder, 'valve.json');
  if (!existsSync(file)) return { position: 0, moves: 0 };
  return JSON.parse(readFileSync(file, 'utf8')) as { position: number; moves: number };
}

const LATER = Math.floor(Date.now() / 1000) + 3600;

function writeValve(folder: string, id: string, moved: boolean): void {
  const state = { position: 1, action: moved ? id : 'another', moves: 1 };
  writeFileSync(join(folder, 'valve.json'), JSON.stringify(state));
}

const pythonOptions = (broker: Mosquitto): string[] => [
  ...['--broker', '127.0.0.1', '--port', String(broker.port), '--master-secret', SECRET],
];

async function senseOnce(kit: Kit, broker: Mosquitto): Promise<void> {
  const device = await kit.start(broker, tempDirectory('device'));
  await device.kill();
}

const kits: Record<string, Kit> = {
  Python: {
    async start(broker, folder) {
      const since = broker.mark();
      const options = [...pythonOptions(broker), '--folder', folder];
      const child = await startChild(python, [join(pythonFolder, 'valve.py'), ...options], { env: environment });
      await broker.waitForSubscription(ACTIONS, since);
      return { kill: () => child.kill(), log: () => child.output() };
    },
    async sense(broker) {
      await run(
        python,
        [join(pythonFolder, 'sensor.py'), ...pythonOptions(broker), '--count', '1', '--interval', '0.1'],
        {
          env: environment,
        },
      );
    },
    state: stateOfFile,
    interrupt(folder, id, moved) {
      writeValve(folder, id, moved);
      const line = JSON.stringify({ id, expires: LATER, done: false });
      // The crash has cut off the line of a further action.
      writeFileSync(join(folder, 'performed.jsonl'), `${line}\n{"id":"c`);
    },
  },
  MicroPython: {
    start(broker, folder, remembered = MANY) {
      const program = join(packageRoot, 'test/support/devices/micropython/run.mjs');
      return startBridgedDevice(
        broker.url,
        'micropython',
        process.execPath,
        [program, 'board', folder, String(remembered)],
        folder,
      );
    },
    sense: (broker) => senseOnce(kits['MicroPython'] as Kit, broker),
    state: stateOfFile,
    interrupt(folder, id, moved) {
      writeValve(folder, id, moved);
      writeFileSync(join(folder, 'performed.txt'), `${JSON.stringify([id, LATER, false])}\n["c`);
    },
  },
  Arduino: {
    start: (broker, folder, remembered = MANY) =>
      startBridgedDevice(broker.url, 'arduino', sketches.get(remembered) ?? '', [], folder),
    sense: (broker) => senseOnce(kits['Arduino'] as Kit, broker),
    state(folder) {
      const file = join(folder, 'valve');
      if (!existsSync(file)) return { position: 0, moves: 0 };
      // struct ValveState: a double, 64 characters, an unsigned integer.
      const bytes = readFileSync(file);
      return { position: bytes.readDoubleLE(0), moves: bytes.readUInt32LE(72) };
    },
    interrupt(folder, id, moved) {
      const valve = Buffer.alloc(80);
      valve.writeDoubleLE(1, 0);
      valve.write(moved ? id : 'another', 8);
      valve.writeUInt32LE(1, 72);
      writeFileSync(join(folder, 'valve'), valve);
      // iot_action_record: 16 bytes of the id's SHA-256, the expiry, the state "begun".
      const record = Buffer.alloc(32);
      createHash('sha256').update(id).digest().copy(record, 0, 0, 16);
      record.writeBigInt64LE(BigInt(LATER), 16);
      record.writeUInt8(1, 24);
      writeFileSync(join(folder, 'a0'), record);
    },
  },
};

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

/** What the operator's side sees at the acknowledge topic: each message with its verdict. */
async function watchAnswers(broker: Mosquitto): Promise<{ verdict: Verdict; id: unknown }[]> {
  const verifier = new Verifier({ registry: () => registry, keyring, maxBytes: 65_536 });
  const answers: { verdict: Verdict; id: unknown }[] = [];
  const client = await connectAsync(broker.url);
  onTestFinished(() => client.endAsync(true));
  client.on('message', (topic, message) => {
    const verdict = verifier.verify(message, topic);
    answers.push({ verdict, id: verdict.ok ? verdict.payload['id'] : undefined });
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

  test('performs each action once while it is killed again and again', async () => {
    const broker = await startMosquitto({ configuration: ['max_inflight_messages 1000'] });
    const publisher = await startPublisher(broker.url);
    const answers = await watchAnswers(broker);
    const folder = tempDirectory('device');
    const random = seededRandom();
    const count = rounds(40, 1000);
    let device = await kit.start(broker, folder);
    let kills = 0;
    for (let sent = 0; sent < count; sent++) {
      const action = signAction({ position: sent % 100 }, { expires: 3600 });
      const isAnswered = (): boolean => answers.some(({ id }) => id === action.id);
      const copies = 1 + Math.floor(random() * 2);
      for (let copy = 0; copy < copies; copy++) await publisher.publish(ACTIONS, action.message, { qos: 2 });
      if (random() < 0.25) {
        // Some kills come before the work on it, some within, some after.
        await setTimeout(random() * 8);
        await device.kill();
        kills++;
        device = await kit.start(broker, folder);
      }
      // The same signed message again until the answer comes, as the pack does.
      let resend = Date.now() + 250;
      await until('the action is answered', async () => {
        if (!isAnswered() && Date.now() >= resend) {
          await publisher.publish(ACTIONS, action.message, { qos: 2 });
          resend = Date.now() + 250;
        }
        return isAnswered();
      });
    }
    expect(answers.every(({ verdict }) => verdict.ok)).toBe(true);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(count);
    expect(kit.state(folder)).toMatchObject({ moves: count });
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
