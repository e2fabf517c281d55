import { connectAsync } from 'mqtt';
import { afterEach, expect, test, vi } from 'vitest';
import { Outbox } from '../../nodes/lib/action/outbox';
import type { ActionRecord, StepTaken } from '../../nodes/lib/action/record';
import type { OutboxUser } from '../../nodes/lib/action/users';
import { rounds, seed, seededRandom } from '../support/campaign';
import { atEndOfFile } from '../support/cleanup';
import { startMosquitto } from '../support/mosquitto';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';
import { failingBatches } from '../unit/store/level-batches';

const ACTIONS = rounds(300, 5000);
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
    this.ends.set(id, failure?.code ?? step);
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
    return [];
  }

  expectsAnswersOn(): boolean {
    return false;
  }

  judge(): undefined {
    return undefined;
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
