import { expect, it, vi } from 'vitest';
import { Aggregator } from '../../../nodes/lib/aggregate/aggregator';
import { Marks } from '../../../nodes/lib/aggregate/marks';
import type { Rule } from '../../../nodes/lib/aggregate/rules';
import { QueryError } from '../../../nodes/lib/influx/query';
import type { PointQueue, StoredCallback } from '../../../nodes/lib/store/queue';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { acceptAll, openQueue, openStore } from '../store/support';
import { expectedResults, FakeInflux, storedResults } from './fake-influx';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 10);
const DAYS = 24 * HOUR;

const RULE: Rule = {
  ...{ id: 'minutes', bucket: 'raw', measurement: 'm', every: MINUTE, into: 'minutes', retention: 400 * DAYS },
  fields: new Map([['v', ['mean']]]),
};

/** Where each look sets the clock on, so that many are needed. */
const OFTEN = { interval: 1, deadline: 50_000 };

interface Clock {
  /** ms since 1970 */
  now: number;
  steady: number;
}

interface Rig {
  clock: Clock;
  influx: FakeInflux;
  queue: PointQueue;
  marks: Marks;
  aggregator: Aggregator;
  computed: () => number;
  /** Turns that the rule has had, at least. */
  rounds: () => number;
  /** Writes all that is queued to InfluxDB. */
  write: () => Promise<void>;
}

async function start(options: { busy?: boolean; interval?: number; steady?: () => number } = {}): Promise<Rig> {
  const clock: Clock = { now: START, steady: 0 };
  const now = (): number => clock.now;
  const steady = options.steady ?? ((): number => clock.steady);
  const influx = new FakeInflux();
  const marks = new Marks('s1', { now, steady });
  const queue = await openQueue(await openStore(tempDirectory('aggregator')), { companion: marks });
  const source = {
    marks,
    mostResults: 50_000,
    overwrites: true,
    trouble: () => undefined,
    left: (bucket: string) => queue.left(bucket),
    waiting: (bucket: string) => (options.busy && bucket === 'raw' ? 10_000 : queue.waiting(bucket)),
    accept: (bucket: string, line: string, stored: StoredCallback) => queue.accept(bucket, 'sensor', 'a', line, stored),
    query: (bucket: string, statement: string, signal: AbortSignal) => {
      // While there is much else to do, 15 times as long is left for that.
      if (options.busy) clock.steady += 100;
      return influx.query(bucket, statement, signal);
    },
  };
  const listener = { computed: vi.fn(), expired: vi.fn(), unusable: vi.fn(), changed: vi.fn() };
  const aggregator = new Aggregator({
    node: 'a',
    source,
    grace: 0,
    listener,
    now,
    steady,
    interval: options.interval ?? 1,
  });
  aggregator.setRules([RULE]);
  const rounds = (): number => listener.changed.mock.calls.length;
  const write = async (): Promise<void> => {
    for (const bucket of queue.buckets()) {
      for (let chunks = await queue.take(bucket, 5000); chunks.length > 0; chunks = await queue.take(bucket, 5000)) {
        for (const chunk of chunks) influx.write(bucket, chunk.lines());
        await queue.remove(chunks);
      }
    }
  };
  return { clock, influx, queue, marks, aggregator, computed: () => aggregator.state().computed, rounds, write };
}

const at = (time: number, series = 'm,d=a'): string => `${series} v=1 ${time}000000`;

it('goes on computing under load when somebody sets the clock back', async () => {
  const { clock, queue, aggregator, computed, write } = await start({ busy: true });
  await acceptAll(queue, [at(START - 3 * HOUR), at(START - 2 * HOUR), at(START - HOUR)]);
  await write();
  await until('the first window', () => computed() === 1);
  clock.now -= 30 * MINUTE;
  for (let windows = 2; windows <= 3; windows++) {
    clock.steady += 2000;
    await until(`window ${windows}`, () => computed() === windows);
  }
  await aggregator.close();
});

it('computes all other windows while InfluxDB cannot answer for some, and these when it can', async () => {
  const { clock, influx, queue, aggregator, computed, write } = await start();
  const bad = START - 5 * HOUR;
  const query = influx.query.bind(influx);
  let isBroken = true;
  influx.query = (bucket, statement, signal) => {
    if (isBroken && statement.includes(` time >= ${bad}000000 `)) throw new QueryError('statement', 'shard is broken');
    return query(bucket, statement, signal);
  };
  await acceptAll(queue, [at(bad), ...Array.from({ length: 30 }, (_, index) => at(START - (index + 1) * 7 * MINUTE))]);
  await write();
  await until('all others', () => computed() === 30);
  expect(aggregator.state()).toMatchObject({ waiting: 1, oldest: bad, trouble: 'shard is broken' });
  isBroken = false;
  clock.steady += 60_000;
  await until('all', () => computed() === 31);
  await write();
  expect(storedResults(influx, RULE)).toEqual(expectedResults(influx, RULE));
  await until('no trouble', () => aggregator.state().trouble === undefined);
  expect(aggregator.state()).toMatchObject({ waiting: 0, oldest: undefined });
  await aggregator.close();
});

it('computes the oldest and the newest window by turns while there is much else to do', async () => {
  const { clock, influx, queue, aggregator, computed, write } = await start({ busy: true });
  const starts = Array.from({ length: 7 }, (_, index) => START - (7 - index) * HOUR);
  await acceptAll(
    queue,
    starts.map((time) => at(time)),
  );
  await write();
  const order: number[] = [];
  for (let windows = 1; windows <= starts.length; windows++) {
    await until(`window ${windows}`, () => computed() === windows);
    clock.steady += 2000;
    const time = /time >= (\d+)000000 /.exec(influx.queries.at(-1) ?? '')?.[1];
    order.push(starts.indexOf(Number(time)));
  }
  expect(order).toEqual([6, 0, 5, 1, 4, 2, 3]);
  await aggregator.close();
});

it('uses its part of the time under load, and not one query a second', async () => {
  const { influx, aggregator } = await start({ busy: true, interval: 100_000, steady: () => performance.now() });
  influx.write(
    'raw',
    Array.from({ length: 20 }, (_, index) => at(START - (index + 1) * HOUR)),
  );
  expect(await aggregator.recompute(START - 20 * HOUR, START)).toBe(20 * 60);
  await until('all is computed', () => aggregator.state().waiting === 0);
  await aggregator.close();
});

it('loses no window to a clock that is ahead for a while', async () => {
  const { clock, influx, queue, aggregator, computed, rounds, write } = await start();
  clock.now += 1000 * DAYS;
  await acceptAll(queue, [at(START - 3 * HOUR), at(START - 2 * HOUR), at(START + 1)]);
  await write();
  clock.steady += 30 * MINUTE;
  const before = rounds();
  await until('some rounds', () => rounds() > before + 5);
  clock.now = START + HOUR;
  await until('all is computed', () => computed() === 3);
  expect(aggregator.state()).toMatchObject({ waiting: 0, expired: 0 });
  await write();
  expect(storedResults(influx, RULE)).toEqual(expectedResults(influx, RULE));
  await aggregator.close();
});

it('gives windows up whose points have been too old for an hour, and says so', async () => {
  const { clock, queue, marks, aggregator, rounds, write } = await start();
  await acceptAll(queue, [at(START - 401 * DAYS)]);
  await write();
  const before = rounds();
  await until('some rounds', () => rounds() > before + 5);
  // They may be too old by a wrong clock only.
  expect(aggregator.state()).toMatchObject({ waiting: 0, oldest: undefined, expired: 0 });
  expect(marks.of('a').get('minutes')?.windows.size).toBe(1);
  clock.steady += HOUR;
  await until('given up', () => aggregator.state().expired === 1);
  expect(aggregator.state()).toMatchObject({ waiting: 0, computed: 0 });
  await aggregator.close();
});

it('computes all other windows of a long back-fill when InfluxDB can answer for none of the older ones', async () => {
  const { clock, influx, marks, aggregator, computed, rounds, write } = await start();
  const healthy = 1500;
  const broken = START - healthy * MINUTE;
  const query = influx.query.bind(influx);
  let isBroken = true;
  influx.query = (bucket, statement, signal) => {
    clock.steady += 10;
    const from = Number(/time >= (\d+)000000 /.exec(statement)?.[1]);
    if (isBroken && from < broken) throw new QueryError('statement', 'shard is broken');
    return query(bucket, statement, signal);
  };
  influx.write(
    'raw',
    Array.from({ length: 43 }, (_, index) => at(START - (index + 1) * HOUR)),
  );
  const windows = 2600;
  expect(await aggregator.recompute(START - windows * MINUTE, START)).toBe(windows);
  /** The clock goes on only when all that can be done has been: else a slow machine would do nothing but try again. */
  let seen = 0;
  const turn = async (milliseconds: number): Promise<void> => {
    await write();
    if (seen === rounds()) clock.steady += milliseconds;
    seen = rounds();
  };
  await until('all that can be is computed', () => turn(1000).then(() => computed() >= healthy - 1000), Boolean, OFTEN);
  expect(aggregator.state().trouble).toBe('shard is broken');
  expect(marks.of('a').get('minutes')?.windows.size).toBeLessThan(2500);
  isBroken = false;
  await until('all is computed', () => turn(60_000).then(() => aggregator.state().waiting === 0), Boolean, OFTEN);
  await write();
  expect(storedResults(influx, RULE)).toEqual(expectedResults(influx, RULE));
  await aggregator.close();
});

it('computes twenty days by hand, with few windows in memory at a time', async () => {
  const { clock, influx, marks, aggregator, write } = await start();
  influx.write(
    'raw',
    Array.from({ length: 20 }, (_, index) => at(START - (index + 1) * 23 * HOUR)),
  );
  const windows = (20 * DAYS) / MINUTE;
  expect(await aggregator.recompute(START - 20 * DAYS, START)).toBe(windows);
  expect(aggregator.state()).toMatchObject({ open: 0, expired: 0 });
  let most = 0;
  await until(
    'all is computed',
    async () => {
      clock.steady += 10_000;
      most = Math.max(most, marks.of('a').get('minutes')?.windows.size ?? 0);
      await write();
      return aggregator.state().waiting === 0;
    },
    Boolean,
    OFTEN,
  );
  expect(most).toBeLessThan(5000);
  expect(aggregator.state()).toMatchObject({ computed: windows, expired: 0 });
  await write();
  expect(storedResults(influx, RULE)).toEqual(expectedResults(influx, RULE));
  await aggregator.close();
});
