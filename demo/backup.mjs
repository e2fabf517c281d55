import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { backupDirectory, resultsFile } from './flow.mjs';
import { press } from './node-red.mjs';
import { waitFor } from './wait.mjs';

const PATIENCE_SECONDS = 180;

/** Takes the copies of an earlier run away, which may be of another InfluxDB. */
export function removeCopies() {
  rmSync(backupDirectory(), { recursive: true, force: true });
  rmSync(resultsFile(), { force: true });
  // Makes the folder: influx-backup does not.
  backupDirectory();
}

/** Presses a button of the backup flow, and returns what the node says when it is done; undefined if it says nothing. */
export async function command(nodeRed, button) {
  const before = results().length;
  await press(nodeRed, button);
  return waitFor(() => results()[before], { seconds: PATIENCE_SECONDS });
}

function results() {
  if (!existsSync(resultsFile())) return [];
  const lines = readFileSync(resultsFile(), 'utf8').split('\n');
  // What follows the last line break is still being written.
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

/**
 * The copies of a bucket by what their files hold, not by what the node says:
 * a list of { day, file, points, lines: text[], isIntact }.
 */
export function copiesOf(bucket) {
  const manifests = readdirSync(backupDirectory(), { recursive: true })
    .filter((path) => path.endsWith(join(bucket, 'manifest.json')))
    .map((path) => join(backupDirectory(), path));
  return manifests.flatMap((path) => {
    const { days } = JSON.parse(readFileSync(path, 'utf8')).manifest;
    return Object.entries(days).map(([day, { file, points, sha256 }]) => {
      const copy = readFileSync(join(dirname(path), file));
      const isIntact = createHash('sha256').update(copy).digest('hex') === sha256;
      // None of the demo's strings has a line break.
      const lines = gunzipSync(copy).toString().split('\n').filter(Boolean);
      return { day, file: join(dirname(path), file), points, lines, isIntact };
    });
  });
}
