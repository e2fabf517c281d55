import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expectAccountsBalance, pointsOf } from '../support/accounting';
import { rounds, runtimes } from '../support/campaign';
import { acceptedReadings, expectNothingLost, waitForAccepted } from '../support/delivery';
import { Readings } from '../support/readings';
import { ids, labels, SECRET, startRig } from '../support/rig';
import { until } from '../support/until';

/** Connections of a process to a port of loopback. */
function connectionsTo(port: number, pid: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const established = '01';
  const own = new Set(readdirSync(`/proc/${pid}/fd`).map((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`)));
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, , to, state, , , , , , inode]) => to === remote && state === established && own.has(`socket:[${inode}]`),
    ).length;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

describe.each(runtimes('5'))('InfluxDB is away (Node-RED %s)', (runtime) => {
  test('down when Node-RED starts: points wait, the status says so, and it goes on by itself', async () => {
    const rig = await startRig({
      runtime,
      influxUrl: async (influxd) => {
        await influxd.stop();
        return influxd.url;
      },
    });
    const readings = new Readings(SECRET);
    const sent = await rig.publisher.load({ rate: 2000, count: 2000, make: readings.make }).finished;
    await waitForAccepted(rig, sent);
    await rig.waitForStatus(ids.write, /^red ring .*2,000/);
    expectAccountsBalance(await rig.nodeRed.metrics());
    expect(pointsOf(await rig.nodeRed.metrics(), ids.server)).toMatchObject({
      accepted: sent,
      queued: sent,
      written: 0,
    });

    await rig.influxd.restart();
    expect(await expectNothingLost(rig, readings)).toBe(sent);
    await rig.waitForStatus(ids.write, /^green/);
    expect(rig.collector.messages(labels.errors)).toEqual([]);
  });

  test('killed and restarted under load', async () => {
    const rig = await startRig({ runtime });
    const readings = new Readings(SECRET);
    const rate = 2000;
    const kills = rounds(2, 20);
    const load = rig.publisher.load({ rate, make: readings.make });
    for (let kill = 1; kill <= kills; kill++) {
      await waitForAccepted(rig, acceptedReadings(rig).length + rate);
      await rig.influxd.kill();
      await waitForAccepted(rig, acceptedReadings(rig).length + rate);
      await rig.influxd.restart();
    }
    const sent = await load.stop();
    await waitForAccepted(rig, sent);
    expect(await expectNothingLost(rig, readings)).toBe(sent);
    expect(rig.collector.messages(labels.refused)).toEqual([]);
    expect(rig.collector.messages(labels.errors)).toEqual([]);
  });

  test('hanging: it accepts connections and never answers', async () => {
    const rig = await startRig({ runtime, pipeline: { timeout: 1 } });
    const readings = new Readings(SECRET);
    const load = rig.publisher.load({ rate: 1000, make: readings.make });
    await waitForAccepted(rig, 1000);
    await rig.influxd.freeze();
    await rig.waitForStatus(ids.write, /^red ring/);
    // A request that got no answer must be given up for good, its socket too.
    let most = 0;
    await until('more points are accepted', () => {
      most = Math.max(most, connectionsTo(rig.influxd.port, rig.nodeRed.pid()));
      return acceptedReadings(rig).length >= 5000;
    });
    // The one of the next request may be there before the last one is gone.
    expect(most).toBeLessThanOrEqual(2);
    await rig.influxd.thaw();
    const sent = await load.stop();
    await waitForAccepted(rig, sent);
    expect(await expectNothingLost(rig, readings)).toBe(sent);
    await rig.waitForStatus(ids.write, /^green/);
  });

  test('Node-RED is stopped while InfluxDB is away: the queue is there again after the start', async () => {
    const rig = await startRig({ runtime });
    const readings = new Readings(SECRET);
    await rig.influxd.stop();
    const sent = await rig.publisher.load({ rate: 2000, count: 2000, make: readings.make }).finished;
    await waitForAccepted(rig, sent);
    await rig.nodeRed.stop();
    await rig.influxd.restart();
    await rig.nodeRed.restart();
    expect(await expectNothingLost(rig, readings)).toBe(sent);
    expect(pointsOf(await rig.nodeRed.metrics(), ids.server)).toMatchObject({
      accepted: 0,
      recovered: sent,
      written: sent,
    });
  });
});
