import { connectAsync } from 'mqtt';
import { afterEach, expect, test, vi } from 'vitest';
import { Outbox } from '../../nodes/lib/action/outbox';
import type { ActionRecord, StepTaken } from '../../nodes/lib/action/record';
import type { JudgedAnswer, OutboxUser, ReceivedAnswer } from '../../nodes/lib/action/users';
import { rounds, seed, seededRandom } from '../support/campaign';
import { atEndOfFile } from '../support/cleanup';
import { startMosquitto } from '../support/mosquitto';
import { startTcpProxy } from '../support/tcp-proxy';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';
import { failingBatches } from '../unit/store/level-batches';

const ACTIONS = rounds(300, 5000);
const ANSWERS = 'answers/a';
const FAILURES = rounds(6, 200);

afterEach(() => void vi.restoreAllMocks());

/** Remembers what it is told. */
class TestUser implements OutboxUser {
  readonly ends = new Map<string, string>();
  readonly logged = new Map<string, Set<string>>();
  readonly reports: string[] = [];

  log({ id }: ActionRecord, { step, time }: StepTaken): Promise<void> {
    const steps = this.logged.get(id) ?? new Set();
    this.logged.set(id, steps.add(`${time} ${step}`));
    return Promise.resolve();
  }

  reached({ id, failure }: ActionRecord, { step }: StepTaken): void {
    this.ends.set(id, step === 'failed' ? (failure?.code ?? '') : step);
  }

  report(_level: 'log' | 'warn', name: string): void {
    this.reports.push(name);
  }

  found(): void {
    this.changed();
  }

  changed(): void {
    this.reports.length = Math.min(this.reports.length, 1000);
  }

  answerFilters(): string[] {
    return [ANSWERS];
  }

  expectsAnswersOn(): boolean {
    return true;
  }

  judge({ bytes }: ReceivedAnswer): JudgedAnswer {
    return JSON.parse(bytes.toString()) as JudgedAnswer;
  }

  answered(): void {
    this.reports.push('answered');
  }
}

test.each([4, 5] as const)(
  `MQTT %i: while the disk fails up to ${FAILURES} times, what was taken over goes out once, and nothing else does (seed ${seed})`,
  async (protocolVersion) => {
    const random = seededRandom(seed + protocolVersion);
    const broker = await startMosquitto({ persistence: true });
    const received: string[] = [];
    const device = await connectAsync(broker.url, { clientId: 'device', clean: false });
    atEndOfFile(() => device.endAsync(true));
    device.on('message', (_topic, message) => received.push(message.toString()));
    await device.subscribeAsync('actions/#', { qos: 2 });

    const options = { protocolVersion, reconnectPeriod: 20, keepalive: 60 };
    const outbox = new Outbox({
      directory: tempDirectory('outbox'),
      broker: 'broker',
      address: { url: broker.url, options },
    });
    const user = new TestUser();
    outbox.attach('node', user);
    const failing = failingBatches();
    const taken: string[] = [];
    const refused: string[] = [];
    let failed = 0;
    for (let count = 0; taken.length < ACTIONS; count++) {
      const id = `action ${count}`;
      const [created, expires] = [Date.now(), Date.now() + 600_000];
      const action = { id, node: 'node', origin: '', topic: 'actions/a', message: id, created, expires };
      if (failed < FAILURES && random() < (FAILURES * 1.5) / ACTIONS) {
        failing.failNext(random() < 0.5 ? 'lost' : 'applied');
        failed++;
      }
      const creating = outbox.create({ ...action, kind: 'action' }).then(
        () => taken.push(id),
        () => refused.push(id),
      );
      // Some at once, some one after another; with a closed store, until it is open again.
      if (random() < 0.3 || outbox.problem !== undefined) await creating;
      if (outbox.problem !== undefined) await until('the store is open again', () => outbox.problem === undefined);
    }
    await until(
      'every action has come to its end',
      () => taken.filter((id) => !user.ends.has(id)),
      (open) => open.length === 0,
      { deadline: 60_000 },
    );
    expect(failed).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    await until('all have come', () => received.length >= taken.length);
    expect([...received].sort()).toEqual([...taken].sort());
    expect(new Set(user.ends.values())).toEqual(new Set(['published']));
    for (const id of taken) {
      const steps = Array.from(user.logged.get(id) ?? [], (logged) => logged.split(' ')[1]);
      expect(steps, id).toEqual(['created', 'sent', 'published']);
    }
    for (const id of refused) expect(user.ends.get(id)).toBeUndefined();
    await outbox.close();
    console.log(
      `MQTT ${protocolVersion}: ${failed} failures, ${taken.length} taken over and sent once, ${refused.length} not`,
    );
  },
);

test('an answer that waits at the broker while nobody hears of it is not missing, and one that comes too late is reported', async () => {
  const broker = await startMosquitto({ persistence: true });
  // As slow as a TLS handshake on a bad line.
  const link = await startTcpProxy(broker.port, { delay: [100, 100] });
  const device = await connectAsync(broker.url);
  atEndOfFile(() => device.endAsync(true));
  const answer = (id: string) => device.publishAsync(ANSWERS, JSON.stringify({ payload: { id } }), { qos: 1 });
  const directory = tempDirectory('outbox');
  const start = (): { outbox: Outbox; user: TestUser } => {
    const address = { url: `mqtt://127.0.0.1:${link.port}`, options: { reconnectPeriod: 50 } };
    const outbox = new Outbox({ directory, broker: 'broker', address });
    const user = new TestUser();
    outbox.attach('node', user);
    return { outbox, user };
  };
  const action = (id: string, expires: number) => ({
    ...{ id, kind: 'action' as const, node: 'node', origin: '', topic: 'actions/a', message: id },
    ...{ created: Date.now(), expires, answer: { topic: ANSWERS, within: 500 } },
  });

  const before = start();
  const expires = Date.now() + 2000;
  await before.outbox.create(action('waiting', expires));
  await until('it is published', () => before.user.ends.get('waiting') === 'published');
  await before.outbox.close();
  await answer('waiting');
  await until('it has expired, and the time to answer has passed', () => Date.now() > expires + 500);
  const { outbox, user } = start();
  await until('it has come to its end', () => user.ends.has('waiting') && user.ends.get('waiting') !== 'published');
  expect(user.ends.get('waiting')).toBe('acknowledged');

  await outbox.create(action('late', Date.now() + 1000));
  await until('it is given up', () => user.ends.get('late') === 'unacknowledged');
  await answer('late');
  await until('the answer is reported', () => user.ends.get('late') === 'acknowledged');
  const steps = Array.from(user.logged.get('late') ?? [], (logged) => logged.split(' ')[1]);
  expect(steps).toEqual(['created', 'sent', 'published', 'failed', 'acknowledged']);
  await outbox.close();
});

test('an action that the broker takes only after it has expired is uncertain, and one that never left has expired', async () => {
  const broker = await startMosquitto({ persistence: true });
  const address = { url: broker.url, options: { reconnectPeriod: 50, keepalive: 60 } };
  const outbox = new Outbox({ directory: tempDirectory('outbox'), broker: 'broker', address });
  const user = new TestUser();
  outbox.attach('node', user);
  await until('it is connected', () => outbox.connection.state === 'connected');
  await broker.freeze();
  const action = { kind: 'action' as const, node: 'node', origin: '', created: Date.now() };
  const expires = Date.now() + 500;
  // As many as may be under way, and one more.
  const ids = Array.from({ length: 11 }, (_, index) => `action ${index}`);
  for (const id of ids) await outbox.create({ ...action, id, topic: id, message: id, expires });
  await until('the last one is given up', () => user.ends.size > 0 && Date.now() > expires);
  expect(user.ends).toEqual(new Map([['action 10', 'expired']]));
  await broker.thaw();
  await until('all have come to their end', () => user.ends.size === ids.length);
  expect(ids.map((id) => user.ends.get(id))).toEqual([...Array<string>(10).fill('uncertain'), 'expired']);
  await outbox.close();
});
