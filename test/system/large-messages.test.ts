import { connectAsync } from 'mqtt';
import { expect, onTestFinished, test } from 'vitest';
import { Keyring } from '../../nodes/iot-keyring/keyring';
import { AnswerJudge } from '../../nodes/iot-sign-publish/judge';
import { Outbox } from '../../nodes/lib/action/outbox';
import type { JudgedAnswer, OutboxUser, ReceivedAnswer } from '../../nodes/lib/action/users';
import { loadRegistry } from '../../nodes/lib/registry/load';
import { actionRegistry } from '../support/action-registry';
import { sign } from '../support/messages';
import { startMosquitto } from '../support/mosquitto';
import { packageRoot } from '../support/node-red';
import { run } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const BYTES = 50_000_000;
/** Milliseconds of work for which the event loop may be held: five times the goal of 100. */
const HELD = 500;
const SECRET = 'example secret, replace it';
const TOPIC = 'actions/hall/d1/valve';
const ANSWERS = `${TOPIC}/ack`;

/** Publishes what costs most to parse, from a process of its own: this one is measured. */
const STRANGER = `
const [url, topic, bytes] = process.argv.slice(1);
const client = require('mqtt').connect(url);
client.on('connect', () => {
  client.publish(topic, Buffer.alloc(Number(bytes), '[{},'), { qos: 1 }, () => client.end());
});`;

/**
 * The longest time for which the event loop was held from now on, in milliseconds that this process has worked: not those in
 * which a busy machine lets it wait.
 */
function measureHeld(): () => number {
  let last = process.cpuUsage();
  let most = 0;
  const look = (): void => {
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    most = Math.max(most, (user + system) / 1000);
  };
  const timer = setInterval(look, 5);
  return () => {
    look();
    clearInterval(timer);
    return most;
  };
}

class Listener implements OutboxUser {
  /** What was said of each answer. */
  readonly verdicts: string[] = [];
  readonly #judge: AnswerJudge;

  constructor(judge: AnswerJudge) {
    this.#judge = judge;
  }

  found(): void {}
  log(): Promise<void> {
    return Promise.resolve();
  }
  reached(): void {}
  changed(): void {}
  report(): void {}
  answerFilters(): readonly string[] {
    return [ANSWERS];
  }
  expectsAnswersOn(topic: string): boolean {
    return topic === ANSWERS;
  }
  judge(answer: ReceivedAnswer): JudgedAnswer | undefined {
    const verdict = this.#judge.judge(answer);
    if (verdict.ok) return verdict;
    this.verdicts.push(verdict.code);
    return undefined;
  }
  answered(outcome: string): void {
    this.verdicts.push(outcome);
  }
}

const loaded = loadRegistry(actionRegistry);
if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
const { registry } = loaded;
const keyring = new Keyring({ mode: 'shared', encoding: 'text', secret: SECRET });

test.each([4, 5] as const)(
  'a stranger with 50 MB on any topic that is listened to does not hold up the event loop (MQTT %i)',
  async (protocolVersion) => {
    const broker = await startMosquitto();
    const address = { url: broker.url, options: { reconnectPeriod: 50, keepalive: 60, protocolVersion } };
    const outbox = new Outbox({ directory: tempDirectory('outbox'), broker: 'broker', address });
    onTestFinished(() => outbox.close());
    const listener = new Listener(new AnswerJudge({ registry: () => registry, keyring }));
    const since = broker.mark();
    outbox.attach('node', listener);
    await broker.waitForSubscription(ANSWERS, since);
    // The topic of the proof is listened to from the first action on.
    const created = { node: 'node', origin: '', created: Date.now(), expires: Date.now() + 600_000 };
    const action = { ...created, id: 'a', kind: 'action' as const, topic: 'actions/hall/d1/relay', message: '{}' };
    await outbox.createAction(action.topic, false, () => action);
    const clientId = broker.clientIds(since).find((id) => id.startsWith('m2i')) ?? '';
    await broker.waitForSubscription(`mqtt2influx/${clientId}`, since);
    const device = await connectAsync(broker.url);
    onTestFinished(() => device.endAsync(true));

    for (const topic of [ANSWERS, `mqtt2influx/${clientId}`]) {
      const before = listener.verdicts.length;
      const held = measureHeld();
      await run(process.execPath, ['-e', STRANGER, broker.url, topic, String(BYTES)], { cwd: packageRoot });
      // What comes after it is taken.
      const seconds = Math.floor(Date.now() / 1000);
      const answer = sign({ id: 'unknown', ts: seconds, ts_ns: 0 }, Buffer.from(SECRET));
      await device.publishAsync(ANSWERS, answer, { qos: 1 });
      await until('the good answer is heard', () => listener.verdicts.slice(before).includes('unknown-action'));
      const most = held();
      // Over MQTT 5 the broker keeps it back.
      const isTold = topic === ANSWERS && protocolVersion === 4;
      expect(listener.verdicts.slice(before)).toEqual([...(isTold ? ['too-large'] : []), 'unknown-action']);
      console.log(`${topic}, MQTT ${protocolVersion}: held for ${most.toFixed(0)} ms`);
      expect(most).toBeLessThan(HELD);
    }
    expect(outbox.connection.state).toBe('connected');
  },
  180_000,
);
