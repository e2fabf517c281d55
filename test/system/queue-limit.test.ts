import { expect, test } from 'vitest';
import { expectAccountsBalance, pointsOf } from '../support/accounting';
import { runtimes } from '../support/campaign';
import { waitForAccepted, waitUntilWritten } from '../support/delivery';
import { sign, signedTime, nowNanoseconds } from '../support/messages';
import { Readings } from '../support/readings';
import { ids, labels, SECRET, startRig } from '../support/rig';

const READINGS = 40_000;
const ALARMS = 50;
const LARGEST_BATCH = 5000;

test.each(runtimes('4'))(
  'a full queue drops the oldest readings, counts each of them, and keeps the alarms (Node-RED %s)',
  async (runtime) => {
    const rig = await startRig({ runtime, pipeline: { queueLimit: 1 } });
    const { publisher, influxd, nodeRed, collector } = rig;
    await influxd.stop();
    // The alarms are the oldest of all, so only their kind can save them.
    const start = nowNanoseconds();
    for (let index = 0; index < ALARMS; index++) {
      const alarm = { ...signedTime(start + BigInt(index)), active: true, severity: 'low' };
      await publisher.publish('alarms/hall/d1/smoke', sign(alarm, SECRET), { qos: 1 });
    }
    const readings = new Readings(SECRET, { start });
    await publisher.load({ rate: 4000, count: READINGS, make: readings.make }).finished;
    await waitForAccepted(rig, READINGS + ALARMS);
    const full = await nodeRed.metrics();
    expectAccountsBalance(full);
    const { dropped, queued } = pointsOf(full, ids.server);
    expect(dropped).toBeGreaterThan(0);
    expect(queued).toBe(READINGS + ALARMS - dropped);
    expect(full.sum('mqtt2influx_queue_bytes', { server: ids.server })).toBeLessThanOrEqual(1_048_576);
    await rig.waitForStatus(ids.write, /^red /);
    await nodeRed.waitForLog(/dropped/);

    await influxd.restart();
    const totals = await waitUntilWritten(rig);
    expectAccountsBalance(await nodeRed.metrics());
    expect(totals).toMatchObject({ dropped, written: READINGS + ALARMS - dropped });
    expect(await influxd.count('iot', 'events', 'alarms', 'active')).toBe(ALARMS);
    const { stored, faults } = await readings.compare(influxd);
    expect(faults).toEqual([]);
    // Dropped from the oldest on, without a gap; only the batch that the writer was trying to write is passed over.
    const missing = readings.identities().flatMap((identity, index) => (stored.has(identity) ? [] : [index]));
    const first = missing[0] ?? 0;
    expect(missing).toEqual(missing.map((_, index) => first + index));
    expect(missing).toHaveLength(dropped);
    expect(first).toBeLessThanOrEqual(LARGEST_BATCH);
    expect(collector.messages(labels.errors)).toEqual([]);
  },
);
