import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect } from '../../nodes/lib/influx/connect';
import type { InfluxServer } from '../../nodes/lib/influx/server';
import { Writer, type RefusedPoint } from '../../nodes/lib/influx/writer';
import { DayReader } from '../../nodes/lib/backup/read-day';
import { PointQueue } from '../../nodes/lib/store/queue';
import { Store } from '../../nodes/lib/store/store';
import { Influx3Facade } from '../support/facade/influx3';
import { influxdBehind } from '../support/facade/targets';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const START = BigInt(Date.parse('2026-03-01T00:00:00Z')) * 1_000_000n;
const HOUR = 3_600_000_000_000n;
const never = new AbortController().signal;

let facade: Influx3Facade;
let server: InfluxServer;
let store: Store;
let queue: PointQueue;
let writer: Writer;
let database: string;
let refused: RefusedPoint[];
let databases = 0;

beforeAll(async () => {
  facade = await Influx3Facade.start(await influxdBehind());
  server = connect({ version: '3', url: facade.url, token: 'test-token', timeout: 30_000 });
});

afterAll(() => {
  server.close();
  facade.assertHonest();
});

beforeEach(async () => {
  database = `db${databases++}`;
  await facade.createDatabase(database);
  refused = [];
  store = await Store.open(tempDirectory('influx3'));
  queue = await PointQueue.open(store, 'server', { limitBytes: 1e9 });
  const backoff = { first: 20, longest: 100 };
  writer = new Writer(queue, server, { batchMilliseconds: 100, retry: backoff, configuration: backoff });
  writer.onRefused((point) => refused.push(point));
});

afterEach(async () => {
  await writer.close();
  await queue.close();
  await store.close();
  await facade.deleteDatabase(database);
});

function accept(lines: readonly string[]): Promise<unknown> {
  return Promise.all(
    lines.map(
      (line) =>
        new Promise<void>((resolve, reject) => {
          queue.accept(database, 'sensor', 'node', line, (error) => (error ? reject(error) : resolve()));
        }),
    ),
  );
}

async function drained(): Promise<void> {
  writer.start();
  await until('the queue is empty', () => queue.totals().queuedPoints === 0, Boolean, { deadline: 60_000 });
}

async function count(): Promise<number> {
  let points = 0;
  for await (const { rows } of server.query(database, 'SELECT count("f") FROM "m"', never))
    points += Number(rows[0]?.[0]);
  return points;
}

function goodLines(points: number, more = ''): string[] {
  return Array.from({ length: points }, (_, index) => `m,d=good f=${index}.5${more} ${START + BigInt(index)}`);
}

test('eight points of a wrong type among 800 are refused, all others stored', async () => {
  await server.write(database, `m,d=first f=1.5 ${START}`, never);
  const bad = Array.from({ length: 8 }, (_, index) => `m,d=bad f=${index}i ${START + BigInt(index)}`);
  await accept([...goodLines(500), ...bad, ...goodLines(800).slice(500)]);
  await drained();
  expect(refused.map(({ line }) => line)).toEqual(bad);
  for (const { reason } of refused) expect(reason).toContain('invalid column type');
  expect(await count()).toBe(801);
});

test.each([0, 300])('a line at which the server panics is refused, and %i others are stored', async (others) => {
  await server.write(database, `m,d=first f=1.5 ${START}`, never);
  // The 20th byte, counted from 0, is within the umlaut.
  const bad = `m,d=${'x'.repeat(15)}ü f=1i ${START}`;
  await accept([...goodLines(others), bad]);
  await drained();
  expect(refused).toMatchObject([{ line: bad, reason: expect.stringContaining('no answer to this line') as string }]);
  expect(await count()).toBe(1 + others);
});

test('a batch of more than 10 MiB is written in several requests', async () => {
  await accept(goodLines(3000, `,s="${'€'.repeat(1500)}"`));
  await drained();
  expect(refused).toEqual([]);
  expect(await count()).toBe(3000);
});

test('a day of too many files is read in pieces', async () => {
  const lines = Array.from({ length: 240 }, (_, index) => {
    const device = index % 3 === 0 ? '' : `,d=${index % 3}`;
    return `m${device} f=${index}.0 ${START + (BigInt(index) * HOUR) / 10n}`;
  });
  await accept(lines);
  await drained();
  facade.filesAnHour = 40;
  const read: string[] = [];
  const reader = new DayReader(server, database, never);
  const hours = new Set(Array.from({ length: 24 }, (_, hour) => hour));
  for await (const { lines: some } of reader.read('2026-03-01', hours, () => undefined)) read.push(...some);
  facade.filesAnHour = 6;
  expect(read.toSorted()).toEqual(lines.map((line) => line.replace('.0 ', ' ')).toSorted());
  const failures = facade.server.seen.filter(({ path, status }) => path.endsWith('query_influxql') && status === 500);
  expect(failures.length).toBeGreaterThan(0);
});

test('the façade tosses a coin for a point that is overwritten in the write buffer, as 3.x does', async () => {
  let tosses = 0;
  const tossing = await Influx3Facade.start(await influxdBehind(), { coin: () => tosses++ % 2 === 0 });
  const connection = connect({ version: '3', url: tossing.url, token: 'test-token', timeout: 30_000 });
  await tossing.createDatabase('toss');
  const values = async (): Promise<unknown> => {
    for await (const { rows } of connection.query('toss', 'SELECT "f" FROM "m"', never)) return rows.flat();
    return undefined;
  };
  const linesOf = (value: number): string => [1, 2, 3].map((time) => `m f=${value} ${START + BigInt(time)}`).join('\n');
  await connection.write('toss', linesOf(1), never);
  await connection.write('toss', linesOf(1), never);
  expect(tosses).toBe(0);
  await connection.write('toss', linesOf(2), never);
  expect(await values()).toEqual([2, 1, 2]);
  tossing.snapshot();
  await connection.write('toss', linesOf(3), never);
  expect(await values()).toEqual([3, 3, 3]);
  connection.close();
  tossing.assertHonest();
});
