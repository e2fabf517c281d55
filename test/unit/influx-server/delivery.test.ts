import { afterEach, expect, it } from 'vitest';
import { useDelivery, type DeliveryUse } from '../../../nodes/influx-server/deliveries';
import type { DeliveryUser, Report } from '../../../nodes/influx-server/delivery';
import { UnownedQueues } from '../../../nodes/influx-server/unowned-queues';
import { Marks } from '../../../nodes/lib/aggregate/marks';
import { hasRecords, queueRanges } from '../../../nodes/lib/store/move-queue';
import { placeOf } from '../../../nodes/lib/influx/place';
import type { WriteOutcome } from '../../../nodes/lib/influx/outcome';
import type { InfluxServer } from '../../../nodes/lib/influx/server';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { FakeInflux } from '../aggregate/fake-influx';
import { acceptAll, closeAll, openQueue, openStore } from '../store/support';

/** Totals are kept for each place as long as the process lives. */
let places = 0;
function newPlace(): string {
  return `http://localhost:8086, database ${places++}`;
}

const RULE = { id: 'r', bucket: 'raw', measurement: 'm', every: 60_000, into: 'minutes' };
const used: DeliveryUse[] = [];

afterEach(async () => {
  for (const use of used.splice(0)) await use.leave();
  await closeAll();
});

/** What the nodes of a place see of their InfluxDB. */
class FakeServer {
  readonly place = newPlace();
  readonly influx = new FakeInflux();
  /** Connections that are closed, by the name of the node. */
  readonly closed: string[] = [];
  readonly reports: [string, Record<string, string | number>][] = [];

  connection(name: string, outcome: () => WriteOutcome = () => ({ kind: 'written' })): InfluxServer {
    const elsewhere = (): never => {
      throw new Error('not part of these tests');
    };
    return {
      batchLines: 5000,
      isUp: () => Promise.resolve(true),
      overwrites: true,
      write: (bucket, body) => {
        const answer = outcome();
        if (answer.kind === 'written') this.influx.write(bucket, body.split('\n'));
        return Promise.resolve(answer);
      },
      query: (bucket, statement, signal) => this.influx.query(bucket, statement, signal),
      test: elsewhere,
      provisioner: elsewhere,
      close: () => this.closed.push(name),
    };
  }

  user(server: string, outcome?: () => WriteOutcome): DeliveryUser {
    const report: Report = (_level, name, values) => this.reports.push([name, values]);
    return { server, limitBytes: 1e9, connection: this.connection(server, outcome), report };
  }

  use(directory: string, server: string, outcome?: () => WriteOutcome, place = this.place): DeliveryUse {
    const use = useDelivery(directory, place, this.user(server, outcome));
    used.push(use);
    return use;
  }

  stored(bucket = 'raw'): number {
    return this.influx.rows(bucket).length;
  }
}

async function accept({ delivery }: DeliveryUse, times: readonly number[], bucket = 'raw'): Promise<void> {
  await Promise.all(
    times.map(
      (time) =>
        new Promise<void>((resolve, reject) => {
          const line = `m,d=a v=1 ${time}000000`;
          delivery.accept(bucket, 'sensor', 'w', line, (error) => (error ? reject(error) : resolve()));
        }),
    ),
  );
}

async function left(use: DeliveryUse): Promise<void> {
  used.splice(used.indexOf(use), 1);
  await use.leave();
}

const REFUSED: WriteOutcome = { kind: 'configuration', reason: 'unauthorized' };

it('stores what came while it was being opened, though it is closed before that: deploys follow each other', async () => {
  const server = new FakeServer();
  const directory = tempDirectory('delivery');
  const away = (): WriteOutcome => ({ kind: 'retry', reason: 'away' });
  const first = server.use(directory, 'one', away);
  const before = accept(first, [1]);
  const closing = first.leave();
  const second = server.use(directory, 'two', away);
  const between = accept(second, [2]);
  await Promise.all([before, closing, between, second.leave()]);
  server.use(directory, 'three');
  await until('both are written', () => server.stored() === 2);
});

it('nodes of one place share a queue, and points go by the node that may write', async () => {
  const server = new FakeServer();
  const directory = tempDirectory('place');
  const first = server.use(directory, 'a', () => REFUSED);
  await accept(first, [1, 2]);
  await until('it is held', () => first.delivery.buckets.get('raw')?.state === 'configuration');
  const [, database = ''] = server.place.split('database ');
  const place = placeOf({ version: '1', url: 'HTTP://LOCALHOST:8086/', database, timeout: 1 });
  const second = server.use(directory, 'b', undefined, place);
  expect(second.delivery).toBe(first.delivery);
  await until('the newest writes what had waited for the other', () => server.stored() === 2);
  // A newer one that may not write does not stop it.
  const third = server.use(directory, 'c', () => REFUSED);
  await accept(third, [3]);
  await until('the one that may write does', () => server.stored() === 3);
  await left(second);
  expect(server.closed).toEqual(['b']);
  await accept(first, [4]);
  await until('nobody may write', () => first.delivery.buckets.get('raw')?.state === 'configuration');
  expect(first.delivery.totals()).toMatchObject({ accepted: 4, written: 3, queuedPoints: 1 });
});

it('a node that is replaced by an equal one leaves its queue to it, points on their way included', async () => {
  const server = new FakeServer();
  const directory = tempDirectory('place');
  const old = server.use(directory, 'a', () => ({ kind: 'retry', reason: 'away' }));
  await accept(old, [1, 2]);
  const leaving = left(old);
  const now = server.use(directory, 'b');
  const accepted = accept(now, [3]);
  await Promise.all([leaving, accepted]);
  await until('all is written, and off the queue', () => now.delivery.totals()?.written === 3);
  expect(server.stored()).toBe(3);
  expect(now.delivery.totals()).toMatchObject({ accepted: 3, recovered: 0, written: 3, queuedPoints: 0 });
});

it('windows are marked for whoever aggregates the place', async () => {
  const server = new FakeServer();
  const directory = tempDirectory('place');
  const a = server.use(directory, 'a');
  const b = server.use(directory, 'b');
  const listener = { computed: () => undefined, expired: () => undefined, unusable: () => undefined };
  const aggregator = b.delivery.aggregator('x', 0, server.connection('x'), { ...listener, changed: () => undefined });
  aggregator.setRules([{ ...RULE, retention: 1e12, fields: new Map([['v', ['max']]]) }]);
  const now = Date.now();
  await accept(a, [now - 600_000]);
  await until('its window is computed', () => server.stored('minutes') === 1);
  await aggregator.close();
});

it.each(['before it starts', 'while it runs'])('adopts the queue that had the id of the node %s', async (when) => {
  const server = new FakeServer();
  const directory = tempDirectory('place');
  const store = await openStore(directory);
  const marks = new Marks('s1');
  const queue = await openQueue(store, { companion: marks }, 's1');
  marks.setRules('x', [RULE]);
  const lines = Array.from({ length: 2500 }, (_, index) => `m,d=a v=${index} ${index}000000`);
  await acceptAll(queue, lines, { origin: 'w' });
  await acceptAll(queue, ['e,d=a s="one line" 1'], { bucket: 'events', priority: 'event', origin: 'w' });
  await closeAll();
  if (when === 'while it runs') {
    const other = server.use(directory, 'other', () => ({ kind: 'retry', reason: 'away' }));
    await accept(other, [5_000_000]);
  }
  const use = server.use(directory, 's1');
  const more = when === 'while it runs' ? 1 : 0;
  await until('all is written', () => server.stored() === 2500 + more);
  await until('events too', () => server.stored('events') === 1);
  const totals = { recovered: 2501, accepted: more, written: 2501 + more, queuedPoints: 0 };
  await until('it is counted', () => use.delivery.totals()?.written === totals.written);
  expect(use.delivery.totals()).toMatchObject(totals);
  const after = await openStore(directory);
  expect(await hasRecords(after, queueRanges('s1'))).toBe(false);
  expect(server.reports).toContainEqual(['taken-over', { points: 2501, queue: 's1', place: server.place }]);
  for (const one of used.splice(0)) await one.leave();
  // The windows that were marked are marked still.
  const marked = new Marks(server.place);
  await openQueue(after, { companion: marked }, server.place);
  expect(marked.of('x').get('r')?.windows.size).toBe(1);
});

it('takes over the queue of another place for an operator, and a bucket of it can be discarded', async () => {
  const server = new FakeServer();
  const directory = tempDirectory('place');
  const away = (): WriteOutcome => ({ kind: 'retry', reason: 'away' });
  const old = server.use(directory, 'a', away, 'http://old:8086');
  await accept(old, [1, 2, 3]);
  await accept(old, [4, 5], '../x');
  await left(old);

  const use = server.use(directory, 'a', (): WriteOutcome => ({ kind: 'configuration', reason: 'no such bucket' }));
  await accept(use, [6]);
  await use.delivery.takeOver('http://old:8086');
  expect(use.delivery.totals()).toMatchObject({ accepted: 1, recovered: 5, queuedPoints: 6 });
  await until('it tries', () => use.delivery.buckets.get('../x')?.state === 'configuration');
  expect(use.delivery.queued()).toContainEqual({ bucket: '../x', points: 2 });
  expect(await use.delivery.discard('../x')).toBe(2);
  expect(use.delivery.queued()).toEqual([{ bucket: 'raw', points: 4 }]);
  expect(use.delivery.buckets.has('../x')).toBe(false);
  expect(use.delivery.totals()).toMatchObject({ accepted: 1, recovered: 5, dropped: 2, queuedPoints: 4 });
  expect(server.reports).toContainEqual(['discarded', { bucket: '../x', points: 2, place: server.place }]);
});

it('finds the queue that a renamed server has left, and can discard it', async () => {
  const server = new FakeServer();
  const directory = tempDirectory('place');
  const away = (): WriteOutcome => ({ kind: 'retry', reason: 'away' });
  const unowned = new UnownedQueues(directory);
  const old = server.use(directory, 'a', away, 'http://left:8086');
  await accept(old, [1, 2, 3]);
  const other = server.use(directory, 'b', away, 'http://other:8086');
  await accept(other, [4]);
  expect((await unowned.look()).size).toBe(0);
  await left(old);
  expect(await unowned.look()).toEqual(new Map([['http://left:8086', 3]]));
  expect(await unowned.discard('http://left:8086')).toBe(3);
  expect(unowned.points.size).toBe(0);
  await expect(unowned.discard('http://other:8086')).rejects.toMatchObject({ code: 'store-unavailable' });
  expect(other.delivery.totals()).toMatchObject({ queuedPoints: 1 });
  const again = server.use(directory, 'a', away, 'http://left:8086');
  await accept(again, [5]);
  expect(again.delivery.totals()).toMatchObject({ accepted: 1, recovered: 0, queuedPoints: 1 });
});
