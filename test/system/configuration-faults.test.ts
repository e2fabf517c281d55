import { describe, expect, test } from 'vitest';
import { pointsOf } from '../support/accounting';
import { runtimes } from '../support/campaign';
import { expectNothingLost, waitForAccepted } from '../support/delivery';
import { sign, signedTime, nowNanoseconds } from '../support/messages';
import { Readings } from '../support/readings';
import { ids, labels, SECRET, startRig, type Rig } from '../support/rig';
import { until } from '../support/until';

const COUNT = 500;

async function sendReadings(rig: Rig): Promise<Readings> {
  const readings = new Readings(SECRET);
  await rig.publisher.load({ rate: 2000, count: COUNT, make: readings.make }).finished;
  await waitForAccepted(rig, COUNT);
  return readings;
}

describe.each(runtimes('4'))('InfluxDB is not as configured (Node-RED %s)', (runtime) => {
  test('the database is missing, then created', async () => {
    const rig = await startRig({ runtime, databases: {} });
    const readings = await sendReadings(rig);
    const status = await rig.waitForStatus(ids.write, /^red dot/);
    expect(status.text).not.toBe('');
    await rig.nodeRed.waitForLog(/database not found: "iot"/);
    await rig.influxd.createDatabase('iot', { raw: '7d', events: '365d' });
    expect(await expectNothingLost(rig, readings)).toBe(COUNT);
    await rig.waitForStatus(ids.write, /^green/);
    expect(rig.collector.messages(labels.refused)).toEqual([]);
  });

  test('one bucket is missing, then created, while another flows', async () => {
    const rig = await startRig({ runtime, databases: { iot: { events: '365d' } } });
    const readings = await sendReadings(rig);
    await rig.nodeRed.waitForLog(/retention policy not found: raw/);
    const alarm = { ...signedTime(nowNanoseconds()), active: true, severity: 'high' };
    await rig.publisher.publish('alarms/hall/d1/smoke', sign(alarm, SECRET));
    await until('the alarm is stored', () => rig.influxd.count('iot', 'events', 'alarms', 'active'));
    // InfluxDB has it before its answer is here.
    const totals = await until(
      'the alarm is counted as written',
      async () => pointsOf(await rig.nodeRed.metrics(), ids.server),
      ({ written }) => written > 0,
    );
    expect(totals).toMatchObject({ written: 1, queued: COUNT });
    await rig.waitForStatus(ids.write, /^red dot .*queued: retention/);

    await rig.influxd.query('CREATE RETENTION POLICY raw ON iot DURATION 7d REPLICATION 1');
    expect(await expectNothingLost(rig, readings)).toBe(COUNT);
    await rig.waitForStatus(ids.write, /^green/);
  });

  test('the password is wrong, then put right in InfluxDB', async () => {
    const rig = await startRig({
      runtime,
      influxd: { admin: { username: 'admin', password: 'right' } },
      pipeline: { username: 'writer', password: 'secret word' },
    });
    await rig.influxd.query(`CREATE USER writer WITH PASSWORD 'another'`);
    const readings = await sendReadings(rig);
    await rig.waitForStatus(ids.write, /^red dot/);
    await rig.nodeRed.waitForLog(/authorization failed/);

    // Now it is who it says, but may not write.
    await rig.influxd.query(`SET PASSWORD FOR writer = 'secret word'`);
    await rig.nodeRed.waitForLog(/not authorized to write/);
    await rig.influxd.query('GRANT WRITE ON iot TO writer');
    expect(await expectNothingLost(rig, readings)).toBe(COUNT);
    await rig.waitForStatus(ids.write, /^green/);
    expect(rig.nodeRed.log()).not.toContain('secret word');
  });
});
