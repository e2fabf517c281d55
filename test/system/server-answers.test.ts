import { describe, expect, test } from 'vitest';
import { pointsOf } from '../support/accounting';
import { runtimes } from '../support/campaign';
import { acceptedReadings, expectNothingLost, waitForAccepted } from '../support/delivery';
import { startFaultProxy } from '../support/facade/fault-proxy';
import { isWrite, isWriteTo, type Fault } from '../support/facade/faults';
import type { FaultyServer } from '../support/facade/faulty-server';
import { Influx2Facade } from '../support/facade/influx2';
import { Influx3Facade } from '../support/facade/influx3';
import { nowNanoseconds, sign, signedTime } from '../support/messages';
import type { Runtime } from '../support/node-red';
import { Readings } from '../support/readings';
import { ids, labels, SECRET, startRig, type Rig } from '../support/rig';
import { until } from '../support/until';

/** The chain with a proxy before InfluxDB that can be told what to answer. */
async function startProxiedRig(runtime: Runtime, timeout = 30): Promise<{ rig: Rig; proxy: FaultyServer }> {
  let proxy: FaultyServer | undefined;
  const rig = await startRig({
    runtime,
    pipeline: { timeout },
    influxUrl: async (influxd) => {
      proxy = await startFaultProxy(influxd.url);
      return proxy.url;
    },
  });
  if (!proxy) throw new Error('no proxy');
  return { rig, proxy };
}

const passing: { name: string; fault: Fault; reason: RegExp }[] = [
  {
    name: '429',
    fault: { kind: 'answer', status: 429, body: '{"error":"too many of them"}' },
    reason: /too many of them/,
  },
  { name: '503 without Retry-After', fault: { kind: 'answer', status: 503, body: 'throttled' }, reason: /throttled/ },
  {
    name: '500',
    fault: { kind: 'answer', status: 500, body: '{"error":"engine: cache is full"}' },
    reason: /cache is full/,
  },
  { name: 'a reset connection', fault: { kind: 'reset' }, reason: /./ },
  { name: 'no answer', fault: { kind: 'hang' }, reason: /./ },
];

describe.each(runtimes('5'))('InfluxDB answers that it cannot now (Node-RED %s)', (runtime) => {
  test.each(passing)('$name: points wait, and are written when it can again', async ({ fault, reason }) => {
    const { rig, proxy } = await startProxiedRig(runtime, 1);
    const readings = new Readings(SECRET);
    const load = rig.publisher.load({ rate: 1000, make: readings.make });
    await waitForAccepted(rig, 1000);
    proxy.faults.inject(fault, isWrite);
    const refusals = () => proxy.seen.filter((request) => isWrite(request) && request.status !== 204).length;
    const before = refusals();
    await until('it was asked twice', () => refusals() >= before + 2);
    const status = await rig.waitForStatus(ids.write, /^red ring/);
    expect(status.text).not.toBe('');
    await rig.nodeRed.waitForLog(reason);
    proxy.faults.heal();
    const sent = await load.stop();
    await waitForAccepted(rig, sent);
    expect(await expectNothingLost(rig, readings)).toBe(sent);
    await rig.waitForStatus(ids.write, /^green/);
    expect(rig.collector.messages(labels.refused)).toEqual([]);
    await until('no connection hangs', () => proxy.connections <= 2);
  });

  test('503 with Retry-After: 3 is left alone for three seconds', async () => {
    const { rig, proxy } = await startProxiedRig(runtime);
    const readings = new Readings(SECRET);
    proxy.faults.inject({ kind: 'answer', status: 503, headers: { 'retry-after': '3' }, body: 'busy' }, isWrite, 1);
    const load = rig.publisher.load({ rate: 1000, make: readings.make });
    const writes = () => proxy.seen.filter(isWrite);
    await until('it was asked again', () => writes().length >= 2);
    const [first, second] = writes();
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(2900);
    const sent = await load.stop();
    await waitForAccepted(rig, sent);
    expect(await expectNothingLost(rig, readings)).toBe(sent);
  });

  test("one bucket's trouble does not stop another", async () => {
    const { rig, proxy } = await startProxiedRig(runtime);
    proxy.faults.inject({ kind: 'answer', status: 503, body: 'busy' }, isWriteTo('raw'));
    const readings = new Readings(SECRET);
    const load = rig.publisher.load({ rate: 1000, make: readings.make });
    await waitForAccepted(rig, 1000);
    for (let index = 0; index < 20; index++) {
      const alarm = { ...signedTime(nowNanoseconds() + BigInt(index)), active: true, severity: 'high' };
      await rig.publisher.publish('alarms/hall/d1/smoke', sign(alarm, SECRET), { qos: 1 });
    }
    await until(
      'the alarms are stored',
      async () => (await rig.influxd.count('iot', 'events', 'alarms', 'active')) === 20,
    );
    expect(await rig.influxd.count('iot', 'raw', 'climate', 'count')).toBe(0);
    proxy.faults.heal();
    const sent = await load.stop();
    await until('all are accepted', () => acceptedReadings(rig).length === sent);
    expect(await expectNothingLost(rig, readings)).toBe(sent);
  });
});

describe.each(runtimes('4'))(
  'the token is wrong, then put right in InfluxDB without a deploy (Node-RED %s)',
  (runtime) => {
    test('2.x', async () => {
      let facade: Influx2Facade | undefined;
      const rig = await startRig({
        runtime,
        databases: {},
        pipeline: { serverVersion: '2', organization: 'test', token: 'of the pack' },
        influxUrl: async (influxd) => {
          facade = await Influx2Facade.start(influxd);
          await facade.createBucket('raw', 7 * 86_400);
          return facade.url;
        },
      });
      if (!facade) throw new Error('no façade');
      const readings = new Readings(SECRET);
      const sent = await rig.publisher.load({ rate: 1000, count: 500, make: readings.make }).finished;
      await waitForAccepted(rig, sent);
      await rig.waitForStatus(ids.write, /^red dot/);
      await rig.nodeRed.waitForLog(/unauthorized access/);
      expect(pointsOf(await rig.nodeRed.metrics(), ids.server)).toMatchObject({ queued: sent, written: 0 });

      facade.allow('of the pack', { read: [], write: ['raw'] });
      const place = { database: facade.backend.database, bucket: facade.policyOf('raw') };
      expect(await expectNothingLost(rig, readings, [], place)).toBe(sent);
      await rig.waitForStatus(ids.write, /^green/);

      // A bucket that is not there is a fault of the configuration too.
      const alarm = { ...signedTime(nowNanoseconds()), active: true, severity: 'high' };
      await rig.publisher.publish('alarms/hall/d1/smoke', sign(alarm, SECRET), { qos: 1 });
      await rig.nodeRed.waitForLog(/bucket \\?"events\\?" not found/);
      await facade.createBucket('events', 0);
      facade.allow('of the pack', { read: [], write: 'all' });
      await until('the alarm is written', async () => pointsOf(await rig.nodeRed.metrics(), ids.server).queued === 0);
      expect(rig.nodeRed.log()).not.toContain('of the pack');
      facade.assertHonest();
    });

    test('3.x', async () => {
      let facade: Influx3Facade | undefined;
      const rig = await startRig({
        runtime,
        databases: {},
        pipeline: { serverVersion: '3', token: 'of the pack' },
        influxUrl: async (influxd) => {
          facade = await Influx3Facade.start(influxd);
          await facade.createDatabase('raw');
          return facade.url;
        },
      });
      if (!facade) throw new Error('no façade');
      const readings = new Readings(SECRET);
      const sent = await rig.publisher.load({ rate: 1000, count: 500, make: readings.make }).finished;
      await waitForAccepted(rig, sent);
      await rig.waitForStatus(ids.write, /^red dot/);
      expect(pointsOf(await rig.nodeRed.metrics(), ids.server)).toMatchObject({ queued: sent, written: 0 });

      facade.allow('of the pack');
      const place = { database: facade.backend.database, bucket: facade.policyOf('raw') };
      expect(await expectNothingLost(rig, readings, [], place)).toBe(sent);
      await rig.waitForStatus(ids.write, /^green/);
      facade.assertHonest();
    });
  },
);
