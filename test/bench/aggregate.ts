// What aggregation costs: windows a second, and processor time in the worker and in InfluxDB, for 5-minute windows of
// 10-second data (queue on disk, writer and aggregator in one process, as in Node-RED); and what it takes away from the
// throughput of the whole pipeline. Started by run.mjs.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Delivery } from '../../nodes/influx-server/delivery';
import { deliveryTo } from '../support/delivery-to';
import type { Aggregator } from '../../nodes/lib/aggregate/aggregator';
import type { Rule } from '../../nodes/lib/aggregate/rules';
import { startInfluxd, type Influxd } from '../support/influxd';
import { startMosquitto } from '../support/mosquitto';
import { packageRoot } from '../support/node-red';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';
import { cleanUp } from './lifetime';
import { AVERAGES, BUCKET, DATABASE, MEASUREMENT } from './load';
import { measure, type Run } from './measure';
import { PEERS, type PeerName } from './peers';
import { spreadOf, tableOf, type Spread } from './summary';
import { usageOf } from './usage';

const RESULTS = join(packageRoot, 'test/results/bench-aggregate.json');
const PERIOD = 10_000;
const EVERY = 300_000;
const FUNCTIONS = ['mean', 'median', 'min', 'max', 'sum'] as const;
const PATIENCE = { deadline: 600_000, interval: 20 };
/** Points handed over before the earlier ones are on disk, and in InfluxDB. */
const UNDER_WAY = 10_000;
const QUEUED = 100_000;
/** Taking more than this part of the throughput is a fault. */
const MOST_TAKEN = 0.1;

const { values: options } = parseArgs({
  options: {
    series: { type: 'string', default: '1000,10000' },
    /** Raw points of each run. */
    points: { type: 'string', default: '900000' },
    /** Messages of each run through the pipeline. */
    messages: { type: 'string', default: '200000' },
    runs: { type: 'string', default: '5' },
  },
});

const RULE: Rule = {
  id: 'climate',
  bucket: BUCKET,
  measurement: MEASUREMENT,
  every: EVERY,
  into: AVERAGES,
  retention: 7 * 86_400_000,
  fields: new Map([
    ['temperature', FUNCTIONS],
    ['humidity', FUNCTIONS],
  ]),
};

interface Processor {
  /** Milliseconds. */
  worker: number;
  influxd: number;
}

function processorSince(influxd: Influxd, since: Processor = { worker: 0, influxd: 0 }): Processor {
  const { user, system } = process.cpuUsage();
  return { worker: (user + system) / 1000 - since.worker, influxd: usageOf(influxd.pid()).cpu - since.influxd };
}

async function emptyDatabase(influxd: Influxd): Promise<void> {
  await influxd.query(`DROP DATABASE "${DATABASE}"`);
  await influxd.createDatabase(DATABASE, { [BUCKET]: '7d', [AVERAGES]: '30d' });
}

function startDelivery(influxd: Influxd): ReturnType<typeof deliveryTo> {
  const connection = { version: '1', url: influxd.url, database: DATABASE, timeout: 30_000 } as const;
  return deliveryTo(tempDirectory('bench-store'), connection, (_level, name, values) => console.error(name, values));
}

function startAggregator({ delivery, connection }: ReturnType<typeof deliveryTo>): Aggregator {
  const listener = {
    computed: () => undefined,
    expired: () => undefined,
    unusable: () => undefined,
    changed: () => undefined,
  };
  const aggregator = delivery.aggregator('aggregate', 0, connection, listener);
  aggregator.setRules([RULE]);
  return aggregator;
}

/** The first whole window of data that reaches back so far from now. */
function startOf(steps: number): number {
  return Math.floor((Date.now() - steps * PERIOD) / EVERY) * EVERY - EVERY;
}

/** Writes 10-second data as fast as it goes, in the order of time. Resolves when InfluxDB has it. */
async function write(delivery: Delivery, series: number, points: number, start: number): Promise<void> {
  let stored = 0;
  for (let index = 0; index < points; index++) {
    const device = index % series;
    const time = start + Math.floor(index / series) * PERIOD;
    const fields = `temperature=${((index * 7) % 400) / 10},humidity=${(index * 3) % 100}`;
    const line = `${MEASUREMENT},site=hall${device % 20},device=d${device} ${fields} ${time}000000`;
    delivery.accept(BUCKET, 'sensor', 'write', line, () => stored++);
    if (index % 256 !== 0) continue;
    await new Promise(setImmediate);
    const isAhead = (): boolean => index - stored > UNDER_WAY || (delivery.totals()?.queuedPoints ?? 0) > QUEUED;
    if (isAhead()) await until('the queue has room', () => !isAhead(), Boolean, { ...PATIENCE, interval: 2 });
  }
  await until('all is written', () => delivery.totalsOf('write').written >= points, Boolean, PATIENCE);
}

async function untilComputed(delivery: Delivery, aggregator: Aggregator): Promise<void> {
  const isDone = (): boolean => {
    const { waiting, trouble } = aggregator.state();
    if (trouble !== undefined) throw new Error(trouble);
    return waiting === 0 && delivery.totals()?.queuedPoints === 0;
  };
  await until('all windows are computed and written', isDone, Boolean, PATIENCE);
}

interface Computation {
  series: number;
  /** Rows of results: one a series and window. */
  windows: number;
  points: number;
  seconds: number;
  perSecond: number;
  /** Microseconds of processor time for each of them. */
  worker: number;
  influxd: number;
}

/** Computes windows of data that is there. */
async function compute(influxd: Influxd, series: number, points: number): Promise<Computation> {
  await emptyDatabase(influxd);
  const use = startDelivery(influxd);
  const { delivery } = use;
  const steps = Math.ceil(points / series);
  const start = startOf(steps);
  await write(delivery, series, points, start);
  const aggregator = startAggregator(use);
  const before = processorSince(influxd);
  const began = performance.now();
  await aggregator.recompute(start, start + steps * PERIOD);
  await untilComputed(delivery, aggregator);
  const seconds = (performance.now() - began) / 1000;
  const { worker, influxd: server } = processorSince(influxd, before);
  await aggregator.close();
  await use.leave();
  const windows = await influxd.count(DATABASE, AVERAGES, MEASUREMENT, 'temperature_mean');
  const expected = series * Math.ceil((steps * PERIOD) / EVERY);
  if (windows !== expected) throw new Error(`${windows} windows instead of ${expected}`);
  return {
    series,
    windows,
    points,
    seconds,
    perSecond: windows / seconds,
    worker: (worker * 1000) / windows,
    influxd: (server * 1000) / windows,
  };
}

/** Messages through the whole pipeline, whose times are so far apart that windows become due all the time. */
const BETWEEN = 20_000;

function shown({ median, lowest, highest }: Spread, digits = 0): string {
  const text = (value: number): string =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(median)} [${text(lowest)}..${text(highest)}]`;
}

function computationTable(computations: Computation[]): string {
  const sizes = [...new Set(computations.map(({ series }) => series))];
  const rows = sizes.map((series) => {
    const runs = computations.filter((run) => run.series === series);
    const spread = (name: keyof Computation): Spread => spreadOf(runs.map((run) => run[name]));
    return [
      series.toLocaleString('en-US'),
      shown(spread('windows')),
      shown(spread('perSecond')),
      shown(spread('worker'), 1),
      shown(spread('influxd'), 1),
    ];
  });
  return tableOf(['series', 'windows', 'windows/s', 'CPU µs/window', 'InfluxDB µs/window'], rows);
}

async function main(): Promise<void> {
  const [points, messages, rounds] = [options.points, options.messages, options.runs].map(Number) as [
    number,
    number,
    number,
  ];
  const influxd = await startInfluxd();
  const mosquitto = await startMosquitto({
    configuration: ['log_type subscribe', 'log_type error', 'log_type warning'],
  });
  const computations: Computation[] = [];
  const runs: Run[] = [];
  await compute(influxd, 100, 10_000);
  for (let round = 0; round < rounds; round++) {
    for (const series of options.series.split(',').map(Number)) {
      computations.push(await compute(influxd, series, points));
      console.error(`run ${round + 1}: ${JSON.stringify(computations.at(-1))}`);
    }
    // By turns, so that whatever else goes on here falls on both.
    for (const peer of round % 2 === 0 ? (['pack', 'aggregating'] as const) : (['aggregating', 'pack'] as const)) {
      const run = await measure({ mosquitto, influxd, runtime: '5' }, peer, messages, false, BETWEEN);
      console.error(`run ${round + 1}: ${peer} ${run.rate.toFixed(0)} msg/s, ${run.cpuPerMessage.toFixed(1)} µs`);
      runs.push(run);
    }
  }
  const of = (peer: PeerName, name: 'rate' | 'cpuPerMessage' | 'lost'): Spread =>
    spreadOf(runs.filter((run) => run.peer === peer).map((run) => run[name]));
  const taken = 1 - of('aggregating', 'rate').median / of('pack', 'rate').median;
  const machine = { processors: cpus().length, model: cpus()[0]?.model, node: process.version };
  mkdirSync(dirname(RESULTS), { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify({ date: new Date(), machine, taken, computations, runs }, undefined, 2)}\n`);

  console.log(
    `\n5-minute windows of 10-second data, 2 fields, 5 functions; ${rounds} runs, median [lowest..highest]\n`,
  );
  console.log(computationTable(computations));
  const rows = (['pack', 'aggregating'] as const).map((peer) => [
    PEERS[peer].title,
    shown(of(peer, 'rate')),
    shown(of(peer, 'cpuPerMessage'), 1),
    shown(of(peer, 'lost')),
  ]);
  console.log(`\n${tableOf([`${messages} messages back-filled`, 'msg/s', 'CPU µs/msg', 'lost'], rows)}`);
  console.log(`\nAggregation takes ${(taken * 100).toFixed(1)} % of the write throughput.`);
  if (taken > MOST_TAKEN) {
    console.log(`Missed: at most ${MOST_TAKEN * 100} %`);
    process.exitCode = 1;
  }
}

try {
  await main();
} finally {
  await cleanUp();
}
