import { expect, test } from 'vitest';
import { expectAccountsBalance, pointsOf } from '../support/accounting';
import { rounds, seed, seededRandom } from '../support/campaign';
import type { Runtime } from '../support/node-red';
import { identityOf, Readings } from '../support/readings';
import { ids, labels, SECRET, startRig } from '../support/rig';
import { until } from '../support/until';

/** Messages a second while Node-RED is up. */
const RATE = 2500;
const KILLS = rounds(4, 50);

interface Accepted extends Record<string, unknown> {
  point: { tags: Record<string, string>; time: string };
}

test.each<Runtime>(['4', '5'])(
  `what influx-write accepted survives ${KILLS} times kill -9 under load on Node-RED %s (seed ${seed})`,
  async (runtime) => {
    const rig = await startRig({ runtime });
    const { nodeRed, publisher, collector, influxd, broker } = rig;
    const random = seededRandom();
    const readings = new Readings(SECRET);
    // The identities are recorded here, outside the process that is killed, from what done() of influx-write has confirmed.
    const accepted = () => collector.messages(labels.accepted) as Accepted[];

    let made = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const load = publisher.load({ rate: RATE, make: (index) => readings.make(made + index) });
      // Somewhere in the first 0.05 to 1.65 s worth of messages: before, within or after the first batches to InfluxDB.
      const before = accepted().length;
      const moment = Math.floor(RATE * (0.05 + 1.6 * random()));
      await until(
        `${moment} more points are accepted`,
        () => accepted().length - before,
        (seen) => seen >= moment,
        { interval: 1 },
      );
      await nodeRed.kill();
      made += await load.stop();
      const mark = broker.mark();
      await nodeRed.restart();
      await rig.subscribed(mark);
    }

    await until(
      'the queue has been written',
      async () => pointsOf(await nodeRed.metrics(), ids.server),
      ({ queued }) => queued === 0,
      { deadline: 60_000 },
    );
    expectAccountsBalance(await nodeRed.metrics());
    const { stored, faults } = await readings.compare(influxd);
    expect(faults).toEqual([]);
    const recorded = accepted().map(({ point }) => identityOf(point.tags, point.time));
    expect(recorded.filter((identity) => !stored.has(identity))).toEqual([]);
    expect(new Set(recorded).size).toBe(recorded.length);
    console.log(
      `Node-RED ${runtime}: ${KILLS} kills, ${readings.made()} sent, ${recorded.length} accepted and recorded, ` +
        `${stored.size} stored, 0 lost, 0 changed`,
    );
  },
);
