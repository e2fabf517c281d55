import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Influxd } from '../support/influxd';
import type { Mosquitto } from '../support/mosquitto';
import type { Runtime } from '../support/node-red';
import { startChild } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';
import { AVERAGES, BUCKET, DATABASE, MEASUREMENT, TOPIC_FILTER } from './load';
import { PEERS, type PeerName, type Worker } from './peers';
import { monotonicMicroseconds, readProfile, type TimeByOwner } from './profile';
import { forgetPeak, usageOf } from './usage';

/** What one run of one peer came to. */
export interface Run {
  peer: PeerName;
  messages: number;
  /** Messages that never became a point. */
  lost: number;
  /** From the first publish to the last: no peer can be faster. */
  publishing: number;
  /** From the first publish to the last point counted in InfluxDB. */
  seconds: number;
  /** Points a second over that time. */
  rate: number;
  /** Processor time of the peer for each message, in microseconds. */
  cpuPerMessage: number;
  /** Resident memory before the load and at its peak, in megabytes. */
  resident: number;
  peak: number;
  /** Time of the main thread for each message by owner, in microseconds; only where a profile was asked for. */
  profile?: TimeByOwner;
}

export interface Servers {
  mosquitto: Mosquitto;
  influxd: Influxd;
  runtime: Runtime;
}

const POLL = 25;
/** So long without a new point, and the rest is lost. */
const PATIENCE = 15_000;
/** Writing goes on for a moment after the last point is stored: the queue on disk is cleared. It belongs to the cost. */
const AFTERWARDS = 300;

/** InfluxDB counts the points it has stored by itself; asking for that costs it next to nothing. */
async function pointsWritten(influxUrl: string): Promise<number> {
  const answer = await fetch(`${influxUrl}/debug/vars`);
  const statistics = (await answer.json()) as Record<
    string,
    { name?: string; tags?: { database?: string; retentionPolicy?: string }; values?: { writePointsOk?: number } }
  >;
  return Object.values(statistics)
    .filter(({ name, tags }) => name === 'shard' && tags?.database === DATABASE && tags.retentionPolicy === BUCKET)
    .reduce((sum, { values }) => sum + (values?.writePointsOk ?? 0), 0);
}

/** Polls until all points are there or no more of them come; returns the time in milliseconds when the last one was seen. */
async function lastPoint(influxUrl: string, expected: number): Promise<number> {
  let seen = 0;
  let at = Date.now();
  await until(
    'all points are stored',
    async () => {
      const written = await pointsWritten(influxUrl);
      if (written > seen) at = Date.now();
      seen = Math.max(seen, written);
      return seen >= expected || Date.now() - at > PATIENCE;
    },
    Boolean,
    { deadline: 600_000, interval: POLL },
  );
  return at;
}

function subscriptions(mosquitto: Mosquitto): number {
  return mosquitto.log().split(TOPIC_FILTER).length - 1;
}

/** Starting up is not measured, and must not be going on any more. */
async function becomeIdle(worker: Worker): Promise<void> {
  let before = usageOf(worker.pid).cpu;
  await until(
    'the worker is idle',
    () => {
      const now = usageOf(worker.pid).cpu;
      const used = now - before;
      before = now;
      return used <= 10;
    },
    Boolean,
    { interval: 300 },
  );
}

/**
 * One peer, started afresh between fresh data, takes one burst of messages.
 *
 * @param between - microseconds from one message to the next by their own times; not how fast they come
 */
export async function measure(
  servers: Servers,
  peer: PeerName,
  messages: number,
  withProfile: boolean,
  between?: number,
): Promise<Run> {
  const { mosquitto, influxd } = servers;
  await influxd.query(`DROP DATABASE "${DATABASE}"`);
  await influxd.createDatabase(DATABASE, { [BUCKET]: '1d', [AVERAGES]: '30d' });
  const profileDirectory = withProfile && PEERS[peer].onNode ? join(tempDirectory('profile'), peer) : undefined;
  if (profileDirectory !== undefined) mkdirSync(profileDirectory);

  const publisher = await startChild(process.execPath, [
    join(import.meta.dirname, 'bench-publisher.mjs'),
    mosquitto.url,
    String(messages),
    ...(between === undefined ? [] : [String(between)]),
  ]);
  const before = subscriptions(mosquitto);
  const worker = await PEERS[peer].start({ ...servers, profileDirectory });
  await until(
    `${peer} has subscribed`,
    () => subscriptions(mosquitto) > before || new Error(worker.output().slice(-2000)),
    (seen) => seen === true,
  );
  await until('the publisher is ready', () => publisher.output().includes('ready'), Boolean, { deadline: 60_000 });
  await becomeIdle(worker);

  forgetPeak(worker.pid);
  const idle = usageOf(worker.pid);
  const from = monotonicMicroseconds();
  await publisher.kill('SIGCONT');
  const end = await lastPoint(influxd.url, messages);
  await new Promise((resolve) => setTimeout(resolve, AFTERWARDS));
  const to = monotonicMicroseconds();
  const loaded = usageOf(worker.pid);

  await publisher.exited;
  const { first, last } = JSON.parse(publisher.output().split('ready')[1] ?? '') as { first: number; last: number };
  await worker.stop();
  const stored = await influxd.count(DATABASE, BUCKET, MEASUREMENT, 'temperature');
  if (stored < messages) console.error(worker.output().slice(-2000));
  const seconds = (end - first) / 1000;
  return {
    peer,
    messages,
    lost: messages - stored,
    publishing: (last - first) / 1000,
    seconds,
    rate: stored / seconds,
    cpuPerMessage: ((loaded.cpu - idle.cpu) * 1000) / messages,
    resident: idle.resident,
    peak: loaded.peak,
    ...(profileDirectory !== undefined && {
      profile: perMessage(readProfile(profileDirectory, { from, to }), messages),
    }),
  };
}

function perMessage(times: TimeByOwner, messages: number): TimeByOwner {
  return Object.fromEntries(Object.entries(times).map(([owner, time]) => [owner, time / messages]));
}
