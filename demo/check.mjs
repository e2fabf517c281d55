import { isRight } from './averages.mjs';
import { command, copiesOf } from './backup.mjs';
import { countRows, rowsOfMinute } from './influxdb/api.mjs';
import { readCounts, readOperations, total } from './metrics.mjs';
import { awaitAverages, retentionsOf } from './upkeep.mjs';
import { waitFor } from './wait.mjs';

const PATIENCE_SECONDS = 30;
const DAY_MILLISECONDS = 86_400_000;
/** Rows of an action that went well: created, sent, published, acknowledged. */
const STEPS = 4;

/** A field that each row of a kind has: what was measured, what devices say of an alarm, what became of an action. */
const READING = { bucket: 'raw', measurement: 'climate', field: 'temperature' };
const ALARM = { bucket: 'events', measurement: 'alarms', field: 'active' };
const CHANGE = { bucket: 'events', measurement: 'alarms_events', field: 'event' };
const STEP = { bucket: 'events', measurement: 'actions', field: 'id' };

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

function rows(influxdb, kind, range) {
  return countRows(influxdb, { ...kind, ...range }).catch((error) => error.message);
}

async function checkMessages({ nodeRed, influxdb, devices, valve }) {
  const { sent, startedAt, late } = devices;
  const good = sent.sensor + sent.late + sent.alarm;
  const since = { since: startedAt };
  // Each alarm message of the demo is a change.
  const expected = {
    ...{ sensor: sent.sensor, late: sent.late, alarm: sent.alarm },
    ...{ change: sent.alarm, step: STEPS * valve.clicked },
  };
  const look = async () => ({
    counts: await readCounts(nodeRed),
    operations: await readOperations(nodeRed),
    stored: {
      sensor: await rows(influxdb, READING, since),
      late: await lateRows(influxdb, late),
      alarm: await rows(influxdb, ALARM, since),
      change: await rows(influxdb, CHANGE, since),
      step: await rows(influxdb, STEP, since),
    },
  });
  // A device that has stopped falls silent after a while: a change more.
  const accepted = ({ operations }) => good + sent.alarm + operations.silent;
  const whenAllIsIn = async () => {
    const seen = await look();
    const isAll = Object.entries(expected).every(([kind, number]) => seen.stored[kind] === number);
    const { counts } = seen;
    const isCounted = counts.received === good + total(sent.rejected) && counts.accepted === accepted(seen);
    return isAll && isCounted && counts.queued === 0 && seen;
  };
  const seen = (await waitFor(whenAllIsIn, { seconds: PATIENCE_SECONDS, every: 250 })) ?? (await look());
  const { counts, operations, stored } = seen;
  const codes = [...new Set([...Object.keys(sent.rejected), ...Object.keys(counts.rejected)])].sort();
  return [
    ['messages received', good + total(sent.rejected), counts.received],
    ['sensor points in InfluxDB', expected.sensor, stored.sensor],
    ['late points in InfluxDB', expected.late, stored.late],
    ['alarm points in InfluxDB', expected.alarm, stored.alarm],
    ['alarms raised', sent.raised, operations.raised],
    ['alarms cleared', sent.alarm - sent.raised, operations.cleared],
    ['changes in InfluxDB', expected.change, stored.change],
    ['actions performed', valve.clicked, valve.performed.size],
    ['actions acknowledged', valve.clicked, operations.acknowledged],
    ['actions failed', 0, operations.failed],
    ['their steps in InfluxDB', expected.step, stored.step],
    ['points accepted', accepted(seen), counts.accepted],
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

/**
 * The copies are counted, and their sums checked, by what the files hold: of each bucket what devices have sent, as
 * a device may fall silent meanwhile, and that is a row too.
 */
async function checkBackup({ influxdb, nodeRed, buttons, devices }) {
  const lines = [];
  const result = await command(nodeRed, buttons.backup);
  lines.push(['backup', 'good', result?.ok ? 'good' : JSON.stringify(result)]);
  for (const kind of [READING, ALARM]) {
    let inAll = 0;
    for (const { day, points, lines: copied, isIntact } of copiesOf(kind.bucket)) {
      const since = Date.parse(day);
      const stored = await rows(influxdb, kind, { since, until: since + DAY_MILLISECONDS });
      const ofKind = copied.filter((line) => isOf(kind, line)).length;
      inAll += ofKind;
      lines.push([`copied of ${kind.bucket}, ${day}`, stored, ofKind]);
      lines.push(['its manifest', copied.length, isIntact ? points : 'damaged']);
    }
    // Nothing compared with nothing would agree too.
    const sent = await rows(influxdb, kind, { since: devices.startedAt });
    lines.push([`points in copies of ${kind.bucket}`, 'enough', inAll > 0 && inAll >= sent ? 'enough' : inAll]);
  }
  const verdict = await command(nodeRed, buttons.verify);
  const proof = verdict?.ok && verdict.points > 0 ? 'good' : JSON.stringify(verdict);
  return [...lines, ['proof of the copies', 'good', proof]];
}

/** Whether a line of line protocol has the field of a kind; nothing in the demo's strings looks like one. */
const isOf = ({ measurement, field }, line) => line.startsWith(`${measurement},`) && line.includes(`${field}=`);

function report(lines) {
  const line = (what, expected, seen, verdict) =>
    console.log(`${what.padEnd(28)}${String(expected).padStart(10)}${String(seen).padStart(10)}  ${verdict}`);
  line('', 'expected', 'seen', '');
  for (const [what, expected, seen] of lines) line(what, expected, seen, expected === seen ? 'ok' : 'WRONG');
  const right = lines.filter(([, expected, seen]) => expected === seen).length;
  console.log(`\n${right} passed, ${lines.length - right} failed`);
  return right === lines.length;
}
