import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rounds, runtimes, seed, seededRandom } from '../support/campaign';
import { ids } from '../support/flows';
import { float, hmac, Literal, nowNanoseconds, sign, signedTime, type Value } from '../support/messages';
import { packageRoot } from '../support/node-red';
import { startPublisher } from '../support/publisher';
import { SECRET, startRig } from '../support/rig';
import { until } from '../support/until';

const MEGABYTE = 1_000_000;
const SECONDS = rounds(12, 600);
const LARGEST = rounds(5, 50) * MEGABYTE;
/** Milliseconds for which the event loop may be held: five times what is wished for. */
const MOST_HELD = { stranger: 500, device: 1250 };

const REGISTRY = `
version: 1
buckets: { raw: { retention: 7d }, events: { retention: 365d } }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    device: "{site}/{device}"
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float, minimum: -40, maximum: 85, optional: true }
      count: { type: integer, optional: true }
      name: { type: string, pattern: "^(a+)+$", optional: true }
  alarms/{site}/{device}/{alarm}:
    kind: alarm
    device: "{site}/{device}"
    bucket: events
    measurement: alarms
    tags: { site: "{site}", device: "{device}", alarm: "{alarm}" }
    fields: { active: { type: boolean } }
  actions/{site}/{device}/valve:
    kind: action
    device: "{site}/{device}"
    bucket: events
    measurement: actions
    tags: { site: "{site}", device: "{device}" }
    fields: { id: { type: string }, position: { type: float } }
    acknowledge: { topic: "actions/{site}/{device}/valve/ack", within: 10s }
`;

interface Attack {
  topic: string;
  payload: string | Buffer;
}

type Make = (random: () => number) => Attack;

const now = (): Record<string, Value> => ({ ...signedTime(nowNanoseconds()) });
const long = (random: () => number, length: number): string =>
  `${Math.floor(random() * 1e9)}${'x'.repeat(Math.floor(random() * length))}`;

/** What anybody can send who may publish. */
const OF_STRANGERS: Make[] = [
  (random) => ({ topic: `sensors/hall/${long(random, 60_000)}/climate`, payload: sign(now(), 'no secret') }),
  // Mosquitto itself closes the connection at more than 200 levels.
  (random) => ({ topic: `${'/'.repeat(190)}${long(random, 60_000)}`, payload: 'x' }),
  (random) => ({ topic: 'sensors/hall/d1/climate', payload: Buffer.alloc(Math.ceil(random() * LARGEST), '[{},') }),
  () => ({ topic: 'sensors/hall/d1/climate', payload: randomBytes(1000) }),
  (random) => {
    const message = Buffer.from(sign({ ...now(), temperature: float(20) }, SECRET));
    message[Math.floor(random() * message.length)] = Math.floor(random() * 256);
    return { topic: 'sensors/hall/d1/climate', payload: message };
  },
  (random) => ({
    topic: `alarms/hall/d1/${long(random, 50_000)}`,
    payload: sign({ ...now(), active: true }, 'no secret'),
  }),
  (random) => ({ topic: `actions/hall/${long(random, 1000)}/valve/ack`, payload: '['.repeat(50_000) }),
  (random) => ({ topic: `mqtt2influx/${long(random, 1000)}/proof`, payload: randomBytes(100) }),
  () => ({
    topic: 'sensors/hall/d1/climate',
    payload: `{"hmac":"${'A'.repeat(43)}=","payload":${'{"a":'.repeat(10_000)}`,
  }),
];

/** What a device can send that has a key. */
const OF_DEVICES: Make[] = [
  () => signed({ count: new Literal(`1${'0'.repeat(59_983)}1e-59983`) }),
  () => signed({ name: `${'a'.repeat(60_000)}!` }),
  () => signed(Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`m${index}`, index]))),
  () => signed({ ts: 1_000_000, temperature: float(20) }),
  () => signed({ temperature: new Literal(`20.${'0'.repeat(60_000)}`) }),
  () => signed({ [`m${'x'.repeat(60_000)}`]: 1 }),
  (random) => ({ ...signed({ temperature: float(20) }), topic: `somewhere/${long(random, 60_000)}` }),
];

function signed(members: Record<string, Value>): Attack {
  // By what the sender writes, not by canonical text: it is as good a signature, and costs the receiver less.
  const payload = Object.entries({ ...now(), ...members })
    .map(([name, value]) => `${JSON.stringify(name)}:${value instanceof Literal ? value.text : JSON.stringify(value)}`)
    .join();
  const text = `{${payload}}`;
  return { topic: 'sensors/hall/d1/climate', payload: `{"hmac":"${hmac(SECRET, text)}","payload":${text}}` };
}

test.each(runtimes('5'))(
  `strangers and devices send what they can for ${SECONDS} s; good messages are stored meanwhile (Node-RED %s, seed ${seed})`,
  async (runtime) => {
    const rig = await startRig({
      runtime,
      nodeOptions: ['--max-old-space-size=512', '--require', join(packageRoot, 'test/support/event-loop.cjs')],
      pipeline: { registry: REGISTRY, qos: '1' },
      // What is rejected ends here: a message of 50 MB is not copied to the test as well.
      change: (flows) =>
        flows.map((node) => {
          if (node.id === ids.verify) return { ...node, wires: [[ids.route], []] };
          return node.id === ids.route ? { ...node, wires: [[ids.write], [], [], []] } : node;
        }),
    });
    const { nodeRed, publisher } = rig;
    const pid = nodeRed.pid();
    const attacker = await startPublisher(rig.broker.url);
    const random = seededRandom();
    const memory: number[] = [];
    let good = 0;
    let attacks = 0;

    const attackFor = async (seconds: number, makes: readonly Make[]): Promise<number> => {
      const mark = nodeRed.mark();
      for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
        const make = makes[Math.floor(random() * makes.length)] ?? (() => ({ topic: 'x', payload: '' }));
        const { topic, payload } = make(random);
        // Acknowledged by the broker: what the test sends ahead of it would fill the test's own memory.
        await attacker.publish(topic, payload, { qos: 1 });
        attacks += 1;
        if (attacks % 10 === 0) {
          const reading = { ...signedTime(nowNanoseconds() + BigInt(good % 1_000_000)), temperature: float(20) };
          await publisher.publish(`sensors/hall/good${good}/climate`, sign(reading, SECRET), { qos: 1 });
          good += 1;
        }
        if (attacks % 100 === 0) memory.push((await nodeRed.process()).memory.rss / MEGABYTE);
      }
      const held = [...nodeRed.log(mark).matchAll(/event loop held (\d+) ms/g)].map(([, milliseconds]) =>
        Number(milliseconds),
      );
      return Math.max(0, ...held);
    };

    const byStrangers = await attackFor(SECONDS / 2, OF_STRANGERS);
    const byDevices = await attackFor(SECONDS / 2, OF_DEVICES);

    const stored = async (): Promise<number> => {
      const points = await rig.influxd.points('iot', 'raw', 'climate');
      return points.filter(({ tags }) => tags['device']?.startsWith('good')).length;
    };
    await until('every good reading is stored', stored, (seen) => seen >= good);
    expect(nodeRed.pid()).toBe(pid);
    expect(nodeRed.log()).not.toMatch(/heap out of memory|Uncaught Exception/);
    const late = memory.slice(Math.ceil(memory.length / 10));
    const half = Math.ceil(late.length / 2);
    const [early, end] = [Math.max(...late.slice(0, half)), Math.max(...late.slice(half))];
    console.log(
      `Node-RED ${runtime}, seed ${seed}: ${attacks} attacks, ${good} good readings stored, event loop held at most ` +
        `${byStrangers} ms by strangers and ${byDevices} ms by devices, memory at most ${Math.round(early)} then ${Math.round(end)} MB`,
    );
    if (late.length >= 4) expect(end).toBeLessThan(1.25 * early + 60);
    expect(byStrangers).toBeLessThan(MOST_HELD.stranger);
    expect(byDevices).toBeLessThan(MOST_HELD.device);
  },
);
