import { expect } from 'vitest';
import { expectAccountsBalance, pointsOf, type PointTotals } from './accounting';
import { identityOf, type Readings } from './readings';
import { ids, labels, type Rig } from './rig';
import { until } from './until';

interface Accepted extends Record<string, unknown> {
  point: { bucket: string; tags: Record<string, string>; time: string };
}

/** Identities of the readings that influx-write has said are safe, as recorded outside of Node-RED. */
export function acceptedReadings({ collector }: Rig): string[] {
  return (collector.messages(labels.accepted) as Accepted[])
    .filter(({ point }) => point.bucket === 'raw')
    .map(({ point }) => identityOf(point.tags, point.time));
}

export async function waitForAccepted({ collector }: Rig, count: number): Promise<void> {
  await until(
    `${count} points are accepted`,
    () => collector.messages(labels.accepted).length,
    (seen) => seen >= count,
    { interval: 5, deadline: 30_000 },
  );
}

/** Waits until nothing is queued any more. */
export async function waitUntilWritten({ nodeRed }: Rig, deadline = 60_000): Promise<PointTotals> {
  return until(
    'the queue has been written',
    async () => pointsOf(await nodeRed.metrics(), ids.server),
    ({ queued, accepting }) => queued === 0 && accepting === 0,
    { deadline },
  );
}

/**
 * The queue has been written, every reading that was accepted is in InfluxDB once and unchanged, and the accounts balance.
 * `except` are the readings that InfluxDB itself had to refuse; `place` is where the real InfluxDB has them when a façade
 * stands before it.
 *
 * @returns how many readings are stored
 */
export async function expectNothingLost(
  rig: Rig,
  readings: Readings,
  except: Iterable<string> = [],
  place: { database: string; bucket: string } = { database: 'iot', bucket: 'raw' },
): Promise<number> {
  const excepted = new Set(except);
  const look = async () => {
    const { stored, faults } = await readings.compare(rig.influxd, place.database, place.bucket);
    const lost = acceptedReadings(rig).filter((identity) => !stored.has(identity) && !excepted.has(identity));
    return { stored, faults, lost };
  };
  await waitUntilWritten(rig);
  // Right after a start the queue may not have been opened yet, and seem empty.
  const { stored, faults, lost } = await until(
    'every accepted reading is stored',
    look,
    (seen) => seen.lost.length === 0,
    {
      deadline: 30_000,
      interval: 500,
    },
  );
  expect(faults).toEqual([]);
  expect(lost).toEqual([]);
  await waitUntilWritten(rig);
  expectAccountsBalance(await rig.nodeRed.metrics());
  return stored.size;
}
