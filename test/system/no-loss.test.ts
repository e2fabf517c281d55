import { expect, test } from 'vitest';
import { rounds, seed, seededRandom } from '../support/campaign';
import { acceptedReadings, expectNothingLost } from '../support/delivery';
import type { Runtime } from '../support/node-red';
import { Readings } from '../support/readings';
import { SECRET, startRig } from '../support/rig';
import { until } from '../support/until';

/** Messages a second while Node-RED is up. */
const RATE = 2500;
const KILLS = rounds(4, 50);

test.each<Runtime>(['4', '5'])(
  `what influx-write accepted survives ${KILLS} times kill -9 under load on Node-RED %s (seed ${seed})`,
  async (runtime) => {
    const rig = await startRig({ runtime });
    const { nodeRed, publisher, broker } = rig;
    const random = seededRandom();
    const readings = new Readings(SECRET);
    // The identities are recorded here, outside the process that is killed, from what done() of influx-write has confirmed.
    const accepted = () => acceptedReadings(rig).length;

    let made = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const load = publisher.load({ rate: RATE, make: (index) => readings.make(made + index) });
      // Somewhere in the first 0.05 to 1.65 s worth of messages: before, within or after the first batches to InfluxDB.
      const before = accepted();
      const moment = Math.floor(RATE * (0.05 + 1.6 * random()));
      await until(
        `${moment} more points are accepted`,
        () => accepted() - before,
        (seen) => seen >= moment,
        { interval: 1 },
      );
      await nodeRed.kill();
      made += await load.stop();
      const mark = broker.mark();
      await nodeRed.restart();
      await rig.subscribed(mark);
    }

    const stored = await expectNothingLost(rig, readings);
    const recorded = acceptedReadings(rig);
    expect(recorded.length).toBeGreaterThan(0);
    expect(new Set(recorded).size).toBe(recorded.length);
    console.log(
      `Node-RED ${runtime}: ${KILLS} kills, ${readings.made()} sent, ${recorded.length} accepted and recorded, ` +
        `${stored} stored, 0 lost, 0 changed`,
    );
  },
);
