import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { expectAccountsBalance, pointsOf } from '../support/accounting';
import { runtimes } from '../support/campaign';
import { expectNothingLost, waitForAccepted, waitUntilWritten } from '../support/delivery';
import { registryDocument } from '../support/flows';
import { nowNanoseconds } from '../support/messages';
import type { FlowNode } from '../support/node-red';
import { Readings } from '../support/readings';
import { ids, labels, SECRET, startRig, type Rig } from '../support/rig';
import { until } from '../support/until';

const GOOD = 4995;
let handMade = 0n;
const DAY = 86_400_000_000_000n;

interface HandMade {
  bucket: string;
  measurement: string;
  tags: Record<string, string>;
  fields: Record<string, { type: string; value: unknown }>;
  time: string;
}

interface Refused extends Record<string, unknown> {
  payload: string;
  point: HandMade;
  rejected: { code: string; reason: string; by: string; at: number };
}

/** Points made by hand come in as JSON on the topic `points`, past verification and registry. */
function withHandMadePoints(flows: FlowNode[]): FlowNode[] {
  const position = { z: ids.tab, x: 1, y: 1 };
  return [
    ...flows,
    {
      ...position,
      id: 'points in',
      type: 'mqtt in',
      topic: 'points',
      qos: '1',
      datatype: 'json',
      broker: ids.broker,
      inputs: 0,
      wires: [['to point']],
    },
    {
      ...position,
      id: 'to point',
      type: 'change',
      rules: [{ t: 'move', p: 'payload', pt: 'msg', to: 'point', tot: 'msg' }],
      wires: [[ids.write]],
    },
  ];
}

function climate(more: Partial<HandMade>): HandMade {
  handMade += 1n;
  return {
    bucket: 'raw',
    measurement: 'climate',
    tags: { site: 'hand', device: 'made' },
    fields: { temperature: { type: 'float', value: 1.5 } },
    // Each one has a time of its own.
    time: String(nowNanoseconds() + handMade),
    ...more,
  };
}

async function refusedBy(rig: Rig, count: number): Promise<Refused[]> {
  return (await rig.collector.waitFor(labels.refused, count)) as Refused[];
}

describe.each(runtimes('5'))('points that InfluxDB refuses (Node-RED %s)', (runtime) => {
  test('five of them among 4,995 good ones come out with the reason of the server, the good ones are stored', async () => {
    const rig = await startRig({ runtime, change: withHandMadePoints, pipeline: { topic: 'sensors/#' } });
    const { publisher, influxd, nodeRed } = rig;
    // The type of `count` is now known to be integer, in the shard of today.
    const readings = new Readings(SECRET, { start: nowNanoseconds() });
    const first = readings.make(0);
    await publisher.publish(first.topic, first.payload);
    await waitForAccepted(rig, 1);
    await waitUntilWritten(rig);

    // So that good and bad ones are in one batch, they wait while the server is away.
    await influxd.stop();
    const conflict = (value: number) => climate({ fields: { count: { type: 'float', value } } });
    const bad = [
      conflict(1.5),
      conflict(2.5),
      climate({ time: String(nowNanoseconds() - 30n * DAY) }),
      climate({ time: String(nowNanoseconds() - 40n * DAY) }),
      // Longer than InfluxDB's longest series key.
      climate({ tags: { site: 'x'.repeat(66_000) } }),
    ];
    const load = publisher.load({ rate: 2500, count: GOOD, make: (index) => readings.make(index + 1) });
    for (const [index, point] of bad.entries()) {
      await until('some good ones have been sent', () => load.sent() >= (index + 1) * 800);
      await publisher.publish('points', JSON.stringify(point), { qos: 1 });
    }
    await load.finished;
    await waitForAccepted(rig, 1 + GOOD + bad.length);
    await influxd.restart();

    const refused = await refusedBy(rig, bad.length);
    expect(refused.map(({ point }) => point.time).sort()).toEqual(bad.map(({ time }) => time).sort());
    const reasonFor = (point: HandMade) => refused.find((message) => message.point.time === point.time)?.rejected;
    const said = bad.map(reasonFor);
    expect(said).toMatchObject([
      { code: 'refused', by: ids.write, reason: expect.stringMatching(/field type conflict.*"count"/) as string },
      { reason: expect.stringMatching(/field type conflict.*"count"/) as string },
      { reason: expect.stringContaining('points beyond retention policy') as string },
      { reason: expect.stringContaining('points beyond retention policy') as string },
      { reason: expect.stringContaining('max key length exceeded') as string },
    ]);
    expect(refused.find(({ point }) => point.time === bad[0]?.time)?.payload).toMatch(/^climate,.* count=1\.5 \d+$/);

    expect(
      await expectNothingLost(
        rig,
        readings,
        bad.map(({ time }) => `hand/made@${time}`).concat(`${'x'.repeat(66_000)}/@${bad[4]?.time ?? ''}`),
      ),
    ).toBe(GOOD + 1);
    expect(pointsOf(await nodeRed.metrics(), ids.server)).toMatchObject({
      refused: bad.length,
      written: GOOD + 1,
      queued: 0,
    });
  });

  test('a body that is too large for the server is split', async () => {
    const rig = await startRig({ runtime, influxd: { maxBodySize: 10_000 } });
    await rig.influxd.stop();
    const readings = new Readings(SECRET);
    await rig.publisher.load({ rate: 3000, count: 5000, make: readings.make }).finished;
    await waitForAccepted(rig, 5000);
    await rig.influxd.restart();
    expect(await expectNothingLost(rig, readings)).toBe(5000);
    expect(rig.collector.messages(labels.refused)).toEqual([]);
  });

  test('one point that is itself too large is refused, and stops nothing', async () => {
    const limit = 20_000;
    const rig = await startRig({
      runtime,
      influxd: { maxBodySize: limit },
      change: withHandMadePoints,
      pipeline: { topic: 'sensors/#', registry: registryDocument },
    });
    // Hexadecimal digits of a hash chain: gzip cannot shrink them below the limit.
    let text = '';
    while (text.length < limit * 3) text += createHash('sha256').update(text).digest('hex');
    const large = climate({ fields: { note: { type: 'string', value: text } } });
    await rig.publisher.publish('points', JSON.stringify(large), { qos: 1 });
    const readings = new Readings(SECRET);
    await rig.publisher.load({ rate: 1000, count: 500, make: readings.make }).finished;
    await waitForAccepted(rig, 501);
    const [refused] = await refusedBy(rig, 1);
    expect(refused?.rejected.reason).toMatch(/too large/i);
    expect(await expectNothingLost(rig, readings, [`hand/made@${large.time}`])).toBe(500);
  });

  test('what InfluxDB could never hold ends in an error at once', async () => {
    const rig = await startRig({ runtime, change: withHandMadePoints, pipeline: { topic: 'sensors/#' } });
    const bad = [
      {},
      climate({ fields: {} }),
      climate({ measurement: '' }),
      climate({ time: 'now' }),
      climate({ fields: { temperature: { type: 'float', value: 'warm' } } }),
      climate({ tags: { site: 'two\nlines' } }),
    ];
    for (const point of bad) await rig.publisher.publish('points', JSON.stringify(point), { qos: 1 });
    const errors = await rig.collector.waitFor(labels.errors, bad.length);
    for (const error of errors) expect(error['error']).toMatchObject({ code: 'invalid-point' });
    expect(rig.collector.messages(labels.accepted)).toEqual([]);
    const metrics = await rig.nodeRed.metrics();
    expectAccountsBalance(metrics);
    expect(metrics.sum('mqtt2influx_messages_failed_total', { node: ids.write, code: 'invalid-point' })).toBe(
      bad.length,
    );
  });
});
