import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { data, folder } from './folder.mjs';
import { forget, remember } from './leftovers.mjs';
import { waitFor } from './wait.mjs';

const STOP_SECONDS = 20;
const LOG_LINES_SHOWN = 15;

const logOf = (name) => join(folder('logs'), `${name}.log`);

/** The programs the demo has started. They end with it, the last one started first. */
export class Children {
  #running = [];
  #stopping = false;
  #onLoss;

  /** `onLoss(failure)` is called when a program ends that nobody has stopped. */
  constructor(onLoss) {
    this.#onLoss = onLoss;
  }

  /** Starts a program with its output in a log file, and waits until `ready()` gives true. */
  async start(name, program, args, { ready, env = process.env, seconds = 60 }) {
    if (this.#stopping) throw new Failure(`${name} is not started any more.`);
    const output = openSync(logOf(name), 'w');
    // A process group of its own: Ctrl-C must reach the demo alone, which then stops its programs in order.
    const child = spawn(program, args, { cwd: data, env, stdio: ['ignore', output, output], detached: true });
    closeSync(output);
    const entry = { name, child, ended: false };
    const ended = new Promise((resolve) => child.once('error', resolve).once('exit', resolve));
    entry.gone = ended.then((result) => {
      entry.ended = true;
      if (result instanceof Error) entry.error = result;
      if (child.pid) forget(child.pid);
    });
    this.#running.push(entry);
    if (child.pid) remember(child.pid, name);

    const state = await waitFor(async () => (entry.ended ? 'ended' : (await ready()) && 'ready'), { seconds });
    if (state !== 'ready') throw new Failure(lost(entry, state === 'ended' ? 'did not start' : 'does not answer'));
    entry.gone.then(() => {
      if (!this.#stopping) this.#onLoss(new Failure(lost(entry, 'has ended')));
    });
  }

  /** Asks each program to end, waits for it, and kills it if it does not. */
  async stop() {
    this.#stopping = true;
    for (const { child, gone } of this.#running.reverse()) {
      if (!child.pid) continue;
      child.kill('SIGTERM');
      const late = await Promise.race([gone, sleep(STOP_SECONDS * 1000, 'late', { ref: false })]);
      if (late !== 'late') continue;
      child.kill('SIGKILL');
      await gone;
    }
    this.#running = [];
  }

  /** For a second Ctrl-C: everything ends at once. */
  kill() {
    for (const { child, ended } of this.#running) if (!ended) child.kill('SIGKILL');
  }
}

function lost({ name, error }, what) {
  return [`${name} ${what}.`, error?.message, endOfLog(name)].filter(Boolean).join('\n');
}

/** The last lines that a program has printed, and where to find the others. */
export function endOfLog(name) {
  const log = logOf(name);
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
  return [...lines, `Its log: ${log}`].join('\n');
}
