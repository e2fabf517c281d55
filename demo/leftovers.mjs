import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { data } from './folder.mjs';
import { waitFor } from './wait.mjs';

// Process ids are used again by the system: a process is ours only if it started when ours did. Its command line would
// not tell, for Node-RED changes its own.
const list = join(data, 'running.json');
const DEMO = 'demo';

function read() {
  try {
    return JSON.parse(readFileSync(list, 'utf8'));
  } catch {
    return [];
  }
}

const write = (entries) => writeFileSync(list, JSON.stringify(entries));

export function remember(pid, name) {
  write([...read(), { pid, name, started: startOf(pid) }]);
}

export function forget(pid) {
  write(read().filter((entry) => entry.pid !== pid));
}

/** When a process started, as the system writes it; undefined when there is none. */
function startOf(pid) {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined; // it has ended
  }
}

const isOurs = ({ pid, started }) => started !== undefined && startOf(pid) === started;

/**
 * Two demos cannot share one data folder, nor can a demo and what a killed one has left running.
 * Refuses to go on in the first case and cleans up in the second.
 */
export async function claimFolder() {
  for (const entry of read()) {
    if (!isOurs(entry)) continue;
    if (entry.name === DEMO)
      throw new Failure(`The demo is running already, as process ${entry.pid}. Stop it with Ctrl-C first.`);
    console.log(`Stopping ${entry.name} (process ${entry.pid}), left running by a demo that was killed.`);
    process.kill(entry.pid, 'SIGTERM');
    const gone = await waitFor(() => !isOurs(entry), { seconds: 20, every: 200 });
    if (!gone) process.kill(entry.pid, 'SIGKILL');
  }
  write([{ pid: process.pid, name: DEMO, started: startOf(process.pid) }]);
}
