import { isRight } from './averages.mjs';
import { command, copiesOf } from './backup.mjs';
import { countRows, rowsOfMinute } from './influxdb/api.mjs';
import { readCounts, total } from './metrics.mjs';
import { awaitAverages, retentionsOf } from './upkeep.mjs';
import { waitFor } from './wait.mjs';

const PATIENCE_SECONDS = 30;
const DAY_MILLISECONDS = 86_400_000;

/** A field that every row of a bucket has. */
const FIELDS = { raw: ['climate', 'temperature'], events: ['alarms', 'active'] };

/**
 * Compares what the devices sent with what the nodes counted and what InfluxDB and the backup hold, and prints both.
 * The devices must have stopped. Returns whether everything agrees.
 */
export async function check(running) {
  return report([
    ...(await checkMessages(running)),
    ...(await checkRetentions(running)),
    ...(await checkAverages(running)),
    ...(await checkBackup(running)),
  ]);
}

function rows(influxdb, bucket, range) {
  const [measurement, field] = FIELDS[bucket];
  return countRows(influxdb, { bucket, measurement, field, ...range }).catch((error) => error.message);
}

async function checkMessages({ nodeRed, influxdb, devices }) {
  const { sent, startedAt, late } = devices;
  const good = sent.sensor + sent.late + sent.alarm;
  const stored = async () => ({
    sensor: await rows(influxdb, 'raw', { since: startedAt }),
    late: await lateRows(influxdb, late),
    alarm: await rows(influxdb, 'events', { since: startedAt }),
  });
  await waitFor(
    async () => {
      const { received, queued } = await readCounts(nodeRed);
      const inInfluxDB = await stored();
      const isAll = Object.entries(inInfluxDB).every(([kind, number]) => number === sent[kind]);
      return received === good + total(sent.rejected) && queued === 0 && isAll;
    },
    { seconds: PATIENCE_SECONDS, every: 250 },
  );

  const counts = await readCounts(nodeRed);
  const inInfluxDB = await stored();
  const codes = [...new Set([...Object.keys(sent.rejected), ...Object.keys(counts.rejected)])].sort();
  return [
    ['messages received', good + total(sent.rejected), counts.received],
    ['sensor points in InfluxDB', sent.sensor, inInfluxDB.sensor],
    ['late points in InfluxDB', sent.late, inInfluxDB.late],
    ['alarm points in InfluxDB', sent.alarm, inInfluxDB.alarm],
    ['points accepted', good, counts.accepted],
    ['points refused', 0, counts.refused],
    ['points queued', 0, counts.queued],
    ...codes.map((code) => [`rejected: ${code}`, sent.rejected[code] ?? 0, counts.rejected[code] ?? 0]),
  ];
}

async function lateRows(influxdb, { device, minutes }) {
  const options = { bucket: 'raw', measurement: 'climate', fields: ['temperature'], device };
  const found = await Promise.all(minutes.map((minute) => rowsOfMinute(influxdb, { ...options, minute })));
  return found.flat().length;
}

async function checkRetentions({ influxdb, buckets }) {
  const retentions = await retentionsOf(influxdb, buckets);
  return retentions.map(({ bucket, wanted, seen }) => [`retention of ${bucket}, s`, wanted, seen]);
}

async function checkAverages({ influxdb, devices }) {
  const averages = await awaitAverages(influxdb, devices.late);
  return averages.flatMap((minute, index) => [
    [`readings in minute ${index + 1}`, minute.expected?.count, minute.seen?.count],
    [`averages of minute ${index + 1}`, 'right', isRight(minute) ? 'right' : JSON.stringify(minute)],
  ]);
}

/** The copies are counted, and their sums checked, by what the files hold. */
async function checkBackup({ influxdb, nodeRed, buttons }) {
  const lines = [];
  await command(nodeRed, buttons.backup);
  for (const bucket of Object.keys(FIELDS)) {
    for (const { day, points, lines: copied, isIntact } of copiesOf(bucket)) {
      const since = Date.parse(day);
      const stored = await rows(influxdb, bucket, { since, until: since + DAY_MILLISECONDS });
      lines.push([`copied of ${bucket}, ${day}`, stored, copied]);
      lines.push(['its manifest', copied, isIntact ? points : 'damaged']);
    }
  }
  const verdict = await command(nodeRed, buttons.verify);
  return [...lines, ['proof of the copies', 'good', verdict?.ok ? 'good' : JSON.stringify(verdict)]];
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
