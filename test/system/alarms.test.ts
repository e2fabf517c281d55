import { expect, test } from 'vitest';
import { expectAccountsBalance } from '../support/accounting';
import { expectedChanges, type Happening } from '../support/alarm-reference';
import {
  alarmLabels,
  alarmTopic,
  OPERATOR_TOPIC,
  signedAlarm,
  startAlarmRig,
  type AlarmMessage,
} from '../support/alarms';
import { rounds, runtimes, seed, seededRandom } from '../support/campaign';
import { waitUntilWritten } from '../support/delivery';
import { nowNanoseconds } from '../support/messages';
import { labels, type Rig } from '../support/rig';
import { until } from '../support/until';

const DEVICES = 8;
const MESSAGES = rounds(480, 10_000);
const KILLS = rounds(3, 50);
/** Milliseconds after which what has not come out of the node is sent again. */
const SENT_AGAIN = 2000;

/** What `alarm-state` has let out, looked up by what went in. */
class Seen {
  readonly #messages: () => AlarmMessage[];
  readonly #texts = new Set<string>();
  #read = 0;
  /** By whom the commands were that have been answered. After a kill, older answers come again. */
  readonly #answered = new Set<string>();

  constructor({ collector }: Rig) {
    this.#messages = () => collector.messages(alarmLabels.everything) as AlarmMessage[];
  }

  /** Whether a signed message has been taken in. */
  has(topic: string, message: string): boolean {
    this.#look();
    return this.#texts.has(`${topic} ${message}`);
  }

  count(): number {
    this.#look();
    return this.#texts.size;
  }

  isAnswered(by: string): boolean {
    this.#look();
    return this.#answered.has(by);
  }

  #look(): void {
    const messages = this.#messages();
    for (; this.#read < messages.length; this.#read++) {
      const { topic, received, alarm } = messages[this.#read] as AlarmMessage & { received?: unknown };
      if (Buffer.isBuffer(received)) this.#texts.add(`${topic} ${received.toString()}`);
      else if (received !== undefined) this.#answered.add((received as { by: string }).by);
      else if (alarm.event === 'acknowledged') this.#answered.add(alarm.by ?? '');
    }
  }
}

/** Publishes until it has come out of the node: QoS 1 ends at "mqtt in", so what a kill has eaten is sent again. */
async function sendUntil(publish: () => Promise<void>, done: () => boolean): Promise<void> {
  while (!done()) {
    await publish();
    await until('it comes out', done, Boolean, { interval: 2, deadline: SENT_AGAIN }).catch(() => undefined);
  }
}

interface Device {
  name: string;
  history: Happening[];
}

/** One device: each message after the one before it has come out, with copies and old ones in between, and an operator. */
async function live(rig: Rig, seen: Seen, device: Device, from: number): Promise<void> {
  const random = seededRandom(from);
  const topic = alarmTopic(device.name);
  const publish = (message: string) => rig.publisher.publish(topic, message, { qos: 1 });
  const sent: string[] = [];
  const start = nowNanoseconds();
  let active = false;
  for (let index = 0; index < MESSAGES / DEVICES; index++) {
    if (random() < 0.4) active = !active;
    const time = start + BigInt(index) * 1_000_000n;
    const message = signedAlarm(time, active);
    await sendUntil(
      () => publish(message),
      () => seen.has(topic, message),
    );
    device.history.push({ at: device.history.length, what: 'message', signed: time, active });
    sent.push(message);
    if (random() < 0.2) await publish(message);
    if (random() < 0.2) await publish(sent[Math.floor(random() * sent.length)] ?? message);
    if (random() < 0.1) {
      const id = alarmTopic(device.name);
      const by = `${device.name}, ${index}`;
      const command = JSON.stringify({ acknowledge: id, by });
      await sendUntil(
        () => rig.publisher.publish(OPERATOR_TOPIC, command, { qos: 1 }),
        () => seen.isAnswered(by),
      );
      device.history.push({ at: device.history.length, what: 'acknowledge' });
    }
  }
}

/** The changes of a device, each once, though a kill may have had it sent again. */
function changesOf(rig: Rig, device: string): AlarmMessage[] {
  const changes = new Map<string, AlarmMessage>();
  for (const message of rig.collector.messages(alarmLabels.changes) as AlarmMessage[]) {
    if (message.alarm.id !== alarmTopic(device)) continue;
    const { time } = message.point;
    if (changes.has(time)) expect(message.alarm).toMatchObject({ again: true });
    else changes.set(time, message);
  }
  return [...changes.values()];
}

test.each(runtimes('4'))(
  `alarms on Node-RED %s change exactly as they must, over ${KILLS} times kill -9 (${MESSAGES} messages, seed ${seed})`,
  async (runtime) => {
    const rig = await startAlarmRig({ runtime, alarms: { session: true } });
    const { nodeRed, broker, influxd, collector } = rig;
    const random = seededRandom();
    const seen = new Seen(rig);
    const devices = Array.from({ length: DEVICES }, (_, index): Device => ({ name: `d${index}`, history: [] }));
    const lives = Promise.all(devices.map((device, index) => live(rig, seen, device, seed * 1000 + index)));
    // A test that has failed does not wait for them.
    lives.catch(() => undefined);

    for (let kill = 1; kill <= KILLS; kill++) {
      const moment = Math.floor((MESSAGES * (kill - 0.8 + 0.6 * random())) / (KILLS + 1));
      await until(
        `${moment} messages have been taken in`,
        () => seen.count(),
        (count) => count >= moment,
        { interval: 1, deadline: 60_000 },
      );
      await nodeRed.kill();
      const mark = broker.mark();
      await nodeRed.restart();
      await rig.subscribed(mark);
    }
    await lives;

    let expectedCount = 0;
    const told = new Set<string>();
    for (const { name, history } of devices) {
      const expected = expectedChanges(history, { on: 0, off: 0, interval: undefined }, history.length);
      // It has come out of the other output, which has a connection of its own. If it does not, the comparison says so.
      await until(
        'the last change has come',
        () => changesOf(rig, name).length,
        (count) => count >= expected.length,
      ).catch(() => undefined);
      const changes = changesOf(rig, name);
      const plain = ({ event, state, since, acknowledged }: Omit<AlarmMessage['alarm'], 'id'>) =>
        [event, state, since, acknowledged].join(' ');
      expect(changes.map(({ alarm }) => plain(alarm))).toEqual(
        expected.map(({ event, state, since, acknowledged }) => [event, state, since, acknowledged].join(' ')),
      );
      expectedCount += expected.length;
      for (const { alarm, point } of changes) told.add(`${alarm.id} ${point.time} ${alarm.event}`);
    }
    expect(expectedCount).toBeGreaterThan(MESSAGES / 5);
    const again = (collector.messages(alarmLabels.changes) as AlarmMessage[]).filter(({ alarm }) => alarm.again).length;

    await waitUntilWritten(rig);
    const rows = (await influxd.points('iot', 'events', 'alarms_events')).filter(({ fields }) => 'event' in fields);
    const logged = rows.map(
      ({ tags, time, fields }) => `${alarmTopic(tags['device'] ?? '')} ${time} ${fields['event']}`,
    );
    expect(logged.sort()).toEqual([...told].sort());
    expect(collector.messages(labels.errors)).toEqual([]);
    expectAccountsBalance(await nodeRed.metrics());
    console.log(
      `Node-RED ${runtime}: ${MESSAGES} alarm messages, ${KILLS} kills, ${expectedCount} changes as expected and ` +
        `logged, ${again} sent again`,
    );
  },
);
