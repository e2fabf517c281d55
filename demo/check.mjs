import { countRows } from './influxdb/api.mjs';
import { readCounts, readOperations, total } from './metrics.mjs';
import { waitFor } from './wait.mjs';

const PATIENCE_SECONDS = 30;
/** Rows of an action that went well: created, sent, published, acknowledged. */
const STEPS = 4;

/**
 * Compares what the devices sent with what the nodes counted and what InfluxDB holds, and prints both.
 * The devices must have stopped. Returns whether everything agrees.
 */
export async function check({ nodeRed, influxdb, devices, valve }) {
  const { sent, startedAt } = devices;
  const good = sent.sensor + sent.alarm;
  // Each alarm message of the demo is a change.
  const points = good + sent.alarm + STEPS * valve.clicked;
  const rows = (bucket, measurement, field) =>
    countRows(influxdb, { bucket, measurement, field, since: startedAt }).catch((error) => error.message);
  const stored = async () => ({
    sensor: await rows('raw', 'climate', 'temperature'),
    alarm: await rows('events', 'alarms', 'active'),
    change: await rows('events', 'alarms', 'event'),
    step: await rows('events', 'actions', 'id'),
  });

  await waitFor(
    async () => {
      const { received, queued } = await readCounts(nodeRed);
      const { sensor, alarm, change, step } = await stored();
      const isIn = sensor === sent.sensor && alarm === sent.alarm && change === sent.alarm;
      return received === good + total(sent.rejected) && queued === 0 && isIn && step === STEPS * valve.clicked;
    },
    { seconds: PATIENCE_SECONDS, every: 250 },
  );

  const counts = await readCounts(nodeRed);
  const operations = await readOperations(nodeRed);
  const inInfluxDB = await stored();
  const codes = [...new Set([...Object.keys(sent.rejected), ...Object.keys(counts.rejected)])].sort();
  return report([
    ['messages received', good + total(sent.rejected), counts.received],
    ['sensor points in InfluxDB', sent.sensor, inInfluxDB.sensor],
    ['alarm points in InfluxDB', sent.alarm, inInfluxDB.alarm],
    ['alarms raised', sent.raised, operations.raised],
    ['alarms cleared', sent.alarm - sent.raised, operations.cleared],
    ['changes in InfluxDB', sent.alarm, inInfluxDB.change],
    ['actions performed', valve.clicked, valve.performed.size],
    ['actions acknowledged', valve.clicked, operations.acknowledged],
    ['actions failed', 0, operations.failed],
    ['their steps in InfluxDB', STEPS * valve.clicked, inInfluxDB.step],
    ['points written', points, counts.written],
    ['points refused', 0, counts.refused],
    ['points queued', 0, counts.queued],
    ...codes.map((code) => [`rejected: ${code}`, sent.rejected[code] ?? 0, counts.rejected[code] ?? 0]),
  ]);
}

function report(lines) {
  const line = (what, expected, seen, verdict) =>
    console.log(`${what.padEnd(28)}${String(expected).padStart(10)}${String(seen).padStart(10)}  ${verdict}`);
  line('', 'expected', 'seen', '');
  for (const [what, expected, seen] of lines) line(what, expected, seen, expected === seen ? 'ok' : 'WRONG');
  const right = lines.filter(([, expected, seen]) => expected === seen).length;
  console.log(`\n${right} passed, ${lines.length - right} failed`);
  return right === lines.length;
}
