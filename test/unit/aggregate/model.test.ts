import { afterEach, expect, it, vi } from 'vitest';
import { Aggregator } from '../../../nodes/lib/aggregate/aggregator';
import { Marks } from '../../../nodes/lib/aggregate/marks';
import type { Rule } from '../../../nodes/lib/aggregate/rules';
import type { PointQueue, StoredCallback } from '../../../nodes/lib/store/queue';
import { rounds, seededRandom } from '../../support/campaign';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { interceptBatches } from '../store/level-batches';
import { accept, closeAll, openQueue, openStore } from '../store/support';
import { expectedResults, FakeInflux, storedResults } from './fake-influx';

afterEach(() => vi.restoreAllMocks());

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 10);
const FIELDS = new Map([
  ['v', ['mean', 'max'] as const],
  ['n', ['sum', 'median'] as const],
]);

function ruleOf(every: number, into: string): Rule {
  const rule = { bucket: 'raw', measurement: 'm', every, into, retention: 48 * HOUR, fields: FIELDS };
  return { id: `raw m ${every} ${into}`, ...rule };
}

const RULES = [ruleOf(60_000, 'minutes'), ruleOf(HOUR, 'hours')];

interface Running {
  queue: PointQueue;
  marks: Marks;
  aggregator: Aggregator;
}

/**
 * Points come in order, late and again; the writer, the aggregator and the clock go on by turns; the queue may be full, and
 * at any batch the process may end, with that batch on the disk or not. At last every window must be what its raw points say.
 */
async function play(seed: number, overwrites = true): Promise<void> {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const directory = tempDirectory('aggregate');
  const influx = new FakeInflux();
  if (!overwrites) influx.wins = () => below(2) === 0;
  influx.breaksOff = () => (['unreachable', 'timeout', 'statement'] as const)[below(100)];
  let clock = START;
  /** Somebody sets the clock back, or ahead, and right again. */
  let setBack = 0;
  const now = (): number => clock - setBack;
  const steady = (): number => clock;
  // Some queues are full now and then, and drop results; some memories hold few marks.
  let limitBytes = below(2) ? 1e9 : 1500 + below(3000);
  const windows = below(2) ? undefined : below(30);
  const life = { batchesLeft: Infinity, crashed: false, crashes: 0 };
  interceptBatches(async ({ apply }) => {
    if (!life.crashed && --life.batchesLeft >= 0) return apply();
    if (!life.crashed && random() < 0.5) await apply();
    life.crashed = true;
    throw Object.assign(new Error('killed'), { code: 'LEVEL_IO_ERROR' });
  });

  const start = async (): Promise<Running> => {
    const marks = new Marks('s1', { now, steady, ...(windows === undefined ? {} : { windows }) });
    const queue = await openQueue(await openStore(directory), { companion: marks, chunkLines: 5, limitBytes });
    const source = {
      marks,
      mostResults: 50_000,
      overwrites,
      trouble: () => undefined,
      left: (bucket: string) => queue.left(bucket),
      waiting: (bucket: string) => queue.waiting(bucket),
      accept: (bucket: string, line: string, stored: StoredCallback) =>
        queue.accept(bucket, 'sensor', 'aggregate', line, stored),
      query: (bucket: string, statement: string, signal: AbortSignal) => influx.query(bucket, statement, signal),
    };
    const listener = { computed: vi.fn(), expired: vi.fn(), unusable: vi.fn(), changed: vi.fn() };
    const aggregator = new Aggregator({
      node: 'aggregate',
      source,
      grace: 2000,
      listener,
      now,
      steady,
      interval: 1,
    });
    // Not always at once: the rules of last time must do until then.
    if (life.crashes === 0 || random() < 0.5) aggregator.setRules(RULES);
    return { queue, marks, aggregator };
  };

  const acceptSome = async (most: number): Promise<void> => {
    const stored: Promise<unknown>[] = [];
    for (let count = below(most); count > 0; count--) {
      const kind = below(10);
      const age = kind < 5 ? below(3000) : kind < 7 ? below(HOUR) : below(30) * HOUR + below(3000);
      const time = Math.floor((clock - age) / 500) * 500;
      const fields = below(5) ? `v=${below(1000) / 10}` : `v=${below(1000) / 10},n=${below(100)}i`;
      const line = `${below(9) ? 'm' : 'other'},d=d${below(12)} ${fields} ${time}000000`;
      stored.push(accept(running.queue, line, { priority: below(5) ? 'sensor' : 'event' }));
    }
    await Promise.all(stored);
  };

  const writeSome = async (most: number): Promise<void> => {
    for (const bucket of running.queue.buckets()) {
      const chunks = await running.queue.take(bucket, most).catch(() => []);
      for (const chunk of chunks) influx.write(bucket, chunk.lines());
      // The answer was lost: written again later.
      if (below(5) === 0) running.queue.release(chunks);
      else void running.queue.remove(chunks);
    }
  };

  /** Everybody goes on at once. */
  const goOn = async (): Promise<void> => {
    for (let turns = below(40); turns > 0; turns--) {
      await new Promise(setImmediate);
      if (below(3) === 0) void acceptSome(4);
      if (below(3) === 0) await writeSome(50);
      clock += below(100);
    }
  };

  const restart = async (kill: boolean): Promise<void> => {
    // Nothing of what is on its way may reach the disk then.
    life.crashed ||= kill;
    await running.aggregator.close();
    for (let started = false; !started;) {
      await closeAll();
      life.crashed = false;
      life.crashes++;
      life.batchesLeft = below(2) ? Infinity : below(60);
      started = await start().then(
        (next) => {
          running = next;
          return true;
        },
        () => false, // killed while it was starting
      );
    }
  };

  let running = await start();
  for (let step = 0; step < 80; step++) {
    const dice = below(100);
    if (dice < 20) await acceptSome(30);
    else if (dice < 35) void acceptSome(30);
    else if (dice < 60) await writeSome(1 + below(60));
    else if (dice < 79) clock += below(20_000);
    else if (dice < 81) setBack = below(2) * (below(2) ? below(5 * HOUR) : -below(2000 * HOUR));
    else if (dice < 95) await goOn();
    else await restart(below(4) > 0);
    if (life.crashed) await restart(true);
  }

  life.batchesLeft = Infinity;
  setBack = 0;
  limitBytes = 1e9;
  influx.breaksOff = () => undefined;
  await restart(false);
  life.batchesLeft = Infinity;
  const finish = clock + 3 * HOUR;
  running.aggregator.setRules(RULES);
  await until('all is computed and written', async () => {
    if (life.crashed) await restart(true);
    life.batchesLeft = Infinity;
    running.aggregator.setRules(RULES);
    clock += clock < finish ? HOUR / 4 : overwrites ? 2000 : 20_000;
    await writeSome(1000);
    const { waiting, open } = running.aggregator.state();
    const { queuedPoints, accepting } = running.queue.totals();
    return running.marks.ready && waiting + open + queuedPoints + accepting === 0;
  });
  expect(Object.keys(storedResults(influx, RULES[0] as Rule)).length).toBeGreaterThan(0);
  for (const rule of RULES) {
    expect(storedResults(influx, rule), `seed ${seed}`).toEqual(expectedResults(influx, rule));
  }
  // Results are never written over where that would be a toss of a coin.
  if (!overwrites) for (const { into } of RULES) expect(influx.overwritten.get(into), `seed ${seed}`).toBeUndefined();
  await running.aggregator.close();
  await closeAll();
}

it.each(Array.from({ length: rounds(12, 1000) }, (_, index) => index + 1))(
  'misses no window and gets none wrong, whenever the process ends (seed %i)',
  async (seed) => play(seed),
);

it.each(Array.from({ length: rounds(8, 1000) }, (_, index) => index + 1))(
  'gets none wrong where the last write does not win (seed %i)',
  async (seed) => play(seed, false),
);
