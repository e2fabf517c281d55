import { expect, it } from 'vitest';
import { rounds, runtimes, seed, seededRandom } from '../support/campaign';
import { collectNode } from '../support/flows';
import { nowNanoseconds, sign, signedTime, type Value } from '../support/messages';
import type { FlowNode, NodeRed } from '../support/node-red';
import type { Outgoing } from '../support/publisher';
import { recompute, type Recomputation, type RecomputedRule } from '../support/recomputation';
import { ids, SECRET, startRig, type Rig } from '../support/rig';
import { until } from '../support/until';

const SECOND = 1_000_000_000n;
const HOUR = 3600n * SECOND;
const DAY = 24n * HOUR;
const AGGREGATE = 'aggregate';

const REGISTRY = `
version: 1
buckets:
  raw: { retention: 7d }
  short: { retention: 2h }
  fine: { retention: 30d }
  coarse: { retention: 30d }
  days: { retention: 30d }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float }
      count: { type: integer, optional: true }
      note: { type: string, optional: true }
    aggregate:
      - { every: 10s, functions: [mean, median, min, max, sum], into: fine }
      - { every: 1h, functions: [mean, median, min, max, sum], into: coarse }
      - { every: 1d, functions: [median, sum], into: days, fields: [temperature] }
  alarms/{site}/{device}/heat:
    kind: alarm
    bucket: raw
    measurement: alarms
    tags: { site: "{site}", device: "{device}" }
    fields:
      level: { type: integer }
    aggregate:
      - { every: 1m, functions: [max, sum], into: fine }
  sensors/{site}/{device}/power:
    kind: sensor
    bucket: short
    measurement: power
    tags: { site: "{site}", device: "{device}" }
    fields:
      watts: { type: float }
    aggregate:
      - { every: 10s, functions: [mean, max], into: fine }
      - { every: 1h, functions: [mean, median], into: coarse }
`;
const DATABASES = { iot: { raw: '7d', short: '2h', fine: '30d', coarse: '30d', days: '30d' } };
const ALL = ['mean', 'median', 'min', 'max', 'sum'];

/** The same rules, said once more: the recomputation reads no registry. */
function rulesSince(started: bigint, now: bigint): RecomputedRule[] {
  const rule = (
    [bucket, measurement, into]: [string, string, string],
    every: bigint,
    retention: bigint,
    fields: Record<string, string[]>,
  ): RecomputedRule => ({
    bucket,
    measurement,
    into,
    every: Number(every),
    fields,
    // The clock goes on while the test runs: windows that were near the edge at any moment are left out.
    since: now - retention + 65n * SECOND,
    kept: started - retention,
  });
  return [
    rule(['raw', 'climate', 'fine'], 10n * SECOND, 7n * DAY, { temperature: ALL, count: ALL }),
    rule(['raw', 'climate', 'coarse'], HOUR, 7n * DAY, { temperature: ALL, count: ALL }),
    rule(['raw', 'climate', 'days'], DAY, 7n * DAY, { temperature: ['median', 'sum'] }),
    rule(['raw', 'alarms', 'fine'], 60n * SECOND, 7n * DAY, { level: ['max', 'sum'] }),
    rule(['short', 'power', 'fine'], 10n * SECOND, 2n * HOUR, { watts: ['mean', 'max'] }),
    rule(['short', 'power', 'coarse'], HOUR, 2n * HOUR, { watts: ['mean', 'median'] }),
  ];
}

/** Signed messages of tens of series, whose times are all that real ones are and worse. */
class RandomLoad {
  readonly #random: () => number;
  /** What was sent before is sent again, with another value. */
  readonly #recent: { topic: string; time: bigint }[] = [];
  #backfill: { topic: string; time: bigint; left: number } | undefined;
  #sent = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  readonly make = (): Outgoing => {
    const { topic, time } = this.#next();
    if (this.#recent.length < 2000) this.#recent.push({ topic, time });
    else this.#recent[this.#below(2000)] = { topic, time };
    const payload: Record<string, Value> = { ...signedTime(time), ...this.#fields(topic) };
    return { topic, payload: sign(payload, SECRET) };
  };

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #next(): { topic: string; time: bigint } {
    const now = nowNanoseconds() + BigInt(this.#below(1_000_000));
    const [repeated] = this.#below(10) === 0 ? this.#recent.slice(this.#below(this.#recent.length)) : [];
    if (repeated) return repeated;
    if (this.#backfill && this.#below(3) === 0) {
      const { topic, time } = this.#backfill;
      this.#backfill.time += BigInt(1 + this.#below(9)) * SECOND;
      if (--this.#backfill.left === 0) this.#backfill = undefined;
      return { topic, time };
    }
    const kind = this.#below(20);
    const name = kind < 14 ? 'sensors/CLIMATE' : kind < 17 ? 'power' : 'heat';
    const device = `hall ${this.#below(3)}/d${this.#below(14)}`;
    const topic =
      name === 'heat' ? `alarms/${device}/heat` : `sensors/${device}/${name === 'power' ? 'power' : 'climate'}`;
    const keeps = name === 'power' ? 2n * HOUR : 6n * DAY;
    if (name !== 'heat' && this.#backfill === undefined && this.#below(200) === 0)
      this.#backfill = { topic, time: now - this.#upTo(keeps), left: 60 };
    return { topic, time: this.#timeBefore(now, keeps) };
  }

  #timeBefore(now: bigint, keeps: bigint): bigint {
    switch (this.#below(8)) {
      case 0:
        return now - this.#upTo(60n * SECOND);
      case 1:
        return now - this.#upTo(5n * HOUR < keeps ? 5n * HOUR : keeps);
      case 2: {
        // On an edge of windows, of days too, or the last nanosecond before.
        const length = [10n * SECOND, HOUR, DAY][this.#below(3)] ?? HOUR;
        const edge = now - (now % length) - (length === DAY || keeps < DAY ? 0n : BigInt(this.#below(5)) * length);
        return (now - edge < keeps ? edge : now - (now % (10n * SECOND))) - BigInt(this.#below(2));
      }
      case 3:
        return now - this.#upTo(keeps);
      default:
        return now;
    }
  }

  #upTo(length: bigint): bigint {
    return (length * BigInt(this.#below(1_000_000))) / 1_000_000n;
  }

  #fields(topic: string): Record<string, Value> {
    const value = this.#below(2) ? this.#below(1000) / 10 : (this.#random() - 0.5) * 10 ** this.#below(12);
    this.#sent++;
    if (topic.endsWith('heat')) return { level: this.#below(5) };
    if (topic.endsWith('power')) return { watts: value };
    return {
      temperature: value,
      ...(this.#below(3) === 0 && { count: this.#sent }),
      ...(this.#below(9) === 0 && { note: 'as seen' }),
    };
  }
}

function aggregateNodes(collectorPort: number): FlowNode[] {
  const inject = {
    id: 'inject',
    type: 'inject',
    z: ids.tab,
    name: '',
    props: [
      { p: 'payload' },
      { p: 'from', v: '2020-01-01T00:00:00Z', vt: 'str' },
      { p: 'to', v: '2100-01-01T00:00:00+00:00', vt: 'str' },
    ],
    repeat: '',
    crontab: '',
    once: false,
    topic: '',
    payload: 'recompute',
    payloadType: 'str',
    x: 100,
    y: 200,
    wires: [[AGGREGATE]],
  };
  const node = {
    id: AGGREGATE,
    type: 'influx-aggregate',
    version: 1,
    z: ids.tab,
    name: '',
    registry: ids.registry,
    server: ids.server,
    grace: '1',
    x: 300,
    y: 200,
    wires: [['collect results'], ['collect progress']],
  };
  return [
    inject,
    node,
    collectNode('collect results', ids.tab, collectorPort, 'results'),
    collectNode('collect progress', ids.tab, collectorPort, 'progress'),
  ];
}

async function waiting(nodeRed: NodeRed): Promise<number> {
  const metrics = await nodeRed.metrics();
  return (
    metrics.sum('mqtt2influx_windows_waiting', { node: AGGREGATE }) +
    metrics.sum('mqtt2influx_points_queued', { server: ids.server }) +
    metrics.sum('mqtt2influx_points_accepting', { server: ids.server })
  );
}

/** Waits until there is nothing left to do, and compares. */
async function compared({ nodeRed, influxd }: Rig, started: bigint): Promise<Recomputation> {
  return until(
    'all windows are what their raw points say',
    async () => {
      // Windows that end now may be computed already or not: what is asked for is what had ended before.
      const now = nowNanoseconds();
      await until(
        'nothing is waiting',
        () => waiting(nodeRed),
        (seen) => seen === 0,
        { deadline: 60_000 },
      );
      return recompute({ url: influxd.url, database: 'iot' }, rulesSince(started, now), now - 15n * SECOND);
    },
    ({ wrong }) => wrong === 0,
    { deadline: rounds(60_000, 600_000), interval: 500 },
  );
}

const KILLS = rounds(3, 100);
const RATE = rounds(400, 800);

it.each(runtimes('4'))(
  `aggregates are right to the last late point after ${KILLS} times kill -9 on Node-RED %s (seed ${seed})`,
  async (runtime) => {
    const started = nowNanoseconds();
    const rig = await startRig({
      runtime,
      databases: DATABASES,
      pipeline: { registry: REGISTRY },
      change: (flows) => {
        const port = flows.find(({ type }) => type === 'test-collect')?.['port'] as number;
        return [...flows, ...aggregateNodes(port)];
      },
    });
    const { nodeRed, influxd, publisher, broker } = rig;
    const random = seededRandom();
    const load = new RandomLoad(random);

    // What was computed when all points were kept must not give way to what is computed from the few that are left.
    const edge = started - 2n * HOUR;
    const partial = edge - (edge % HOUR);
    const good = `power,site=hall\\ 0,device=d0 watts_count=1000,watts_mean=1,watts_median=1 ${partial}`;
    await fetch(`${influxd.url}/write?db=iot&rp=coarse`, { method: 'POST', body: good });

    let sent = 0;
    const kills = { 'Node-RED': 0, InfluxDB: 0 };
    for (let kill = 0; kill <= KILLS; kill++) {
      const running = publisher.load({ rate: RATE, make: load.make });
      const moment = Math.floor(RATE * (0.2 + rounds(1, 2) * random()));
      await until(`${moment} more are sent`, () => running.sent() >= moment, Boolean, { interval: 2 });
      // Each at least once.
      const isInfluxDB = kill < 2 ? kill === 1 : random() < 0.5;
      if (kill < KILLS && isInfluxDB) {
        kills.InfluxDB++;
        await influxd.kill();
        const more = running.sent() + Math.floor(RATE * random());
        await until('the outage has lasted', () => running.sent() >= more, Boolean, { interval: 2 });
        await influxd.restart();
      } else if (kill < KILLS) {
        kills['Node-RED']++;
        await nodeRed.kill();
        const mark = broker.mark();
        await nodeRed.restart();
        await rig.subscribed(mark);
      }
      sent += await running.stop();
    }

    const { windows, points } = await compared(rig, started);
    expect(windows).toBeGreaterThan(rounds(300, 10_000));
    const kept = await influxd.points('iot', 'coarse', 'power');
    expect(kept.find(({ time }) => time === String(partial))?.fields).toMatchObject({ watts_count: '1000' });
    console.log(
      `Node-RED ${runtime}: ${sent} sent, ${points} raw points read (once a period), ${windows} windows of series ` +
        `compared after ${kills['Node-RED']} kills of Node-RED and ${kills.InfluxDB} of InfluxDB: none missing, wrong or extra`,
    );

    // Once more, by hand, after what was computed is gone.
    await influxd.query('DROP RETENTION POLICY "fine" ON "iot"');
    await influxd.query('CREATE RETENTION POLICY "fine" ON "iot" DURATION 30d REPLICATION 1');
    expect((await nodeRed.post('inject/inject', {})).status).toBe(200);
    await until('the windows are marked', () =>
      rig.collector.messages('progress').find(({ payload }) => (payload as { marked?: number }).marked),
    );
    expect((await compared(rig, started)).windows).toBe(windows);
    expect(rig.collector.messages('results').length).toBeGreaterThan(0);
  },
);
