import { relative } from 'node:path';
import { averagesOf, isRight } from './averages.mjs';
import { command, copiesOf } from './backup.mjs';
import { endOfLog } from './children.mjs';
import { Failure } from './failure.mjs';
import { project } from './folder.mjs';
import { retentionOf } from './influxdb/api.mjs';
import { waitFor } from './wait.mjs';

const PATIENCE_SECONDS = 60;
const DAY = 86_400;

/** The buckets as they should be and as InfluxDB has them: a list of { bucket, wanted, seen }, retentions in seconds. */
export async function retentionsOf(influxdb, buckets) {
  return Promise.all(
    buckets.map(async ([bucket, wanted]) => ({ bucket, wanted, seen: await retentionOf(influxdb, bucket) })),
  );
}

/** Waits until `influx-provision`, which the flow starts with, has made the buckets. */
export async function awaitBuckets(influxdb, buckets) {
  const found = async () => {
    const retentions = await retentionsOf(influxdb, buckets);
    return retentions.every(({ seen }) => seen !== undefined);
  };
  const isThere = await waitFor(found, { seconds: PATIENCE_SECONDS, every: 250 });
  if (isThere) return;
  // If InfluxDB cannot be asked, that is the reason.
  await found();
  throw new Failure(`influx-provision has not made the buckets.\n${endOfLog('node-red')}`);
}

/** Waits until the averages of the late readings are there; returns them as they are then. */
export async function awaitAverages(influxdb, late) {
  const right = async () => (await averagesOf(influxdb, late)).every(isRight);
  await waitFor(right, { seconds: PATIENCE_SECONDS, every: 250 });
  return averagesOf(influxdb, late);
}

/** Shows the three nodes at work, a line each as soon as there is something to show. */
export async function showUpkeep({ influxdb, nodeRed, buttons, buckets, devices }, say) {
  const retentions = await retentionsOf(influxdb, buckets);
  say(`influx-provision   retentions: ${retentions.map(({ bucket, seen }) => `${bucket} ${seen / DAY}d`).join(', ')}`);

  const averages = await awaitAverages(influxdb, devices.late);
  for (const { minute, seen } of averages.filter(isRight)) {
    const time = new Date(minute * 1000).toISOString().slice(11, 16);
    const values = `${seen.count} readings, mean ${seen.mean.toFixed(2)}, min ${seen.min}, max ${seen.max}`;
    say(`influx-aggregate   ${devices.late.device} at ${time} UTC, which came late: ${values}`);
  }

  const backup = await command(nodeRed, buttons.backup);
  const verdict = await command(nodeRed, buttons.verify);
  if (!backup?.ok || !verdict?.ok) {
    say(`influx-backup      something is wrong: ${JSON.stringify({ backup, verdict })}`);
    return;
  }
  for (const { file, points } of copiesOf('raw'))
    say(`influx-backup      ${points} points in ${relative(project, file)}`);
  say(`influx-backup      verified: ${verdict.points} points, ${verdict.days} days, all buckets`);
}
