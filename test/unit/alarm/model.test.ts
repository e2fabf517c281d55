import { afterEach, expect, it, vi } from 'vitest';
import { seriesOf, type Source } from '../../../nodes/lib/alarm/alarm';
import { KeptAlarms } from '../../../nodes/lib/alarm/kept-alarms';
import { Listening } from '../../../nodes/lib/alarm/listening';
import { rounds, seed, seededRandom } from '../../support/campaign';
import { tempDirectory } from '../../support/temp';
import { failingBatches } from '../store/level-batches';
import { closeAll, openStore } from '../store/support';
import { expectedChanges, type Before, type Expected, type Happening, type Rules } from '../../support/alarm-reference';
import { FakeClock } from './fake-clock';
import { AlarmRig, sourceOf, START } from './support';

let playing: Promise<unknown> = Promise.resolve();

afterEach(async () => {
  // When its time is over a test goes on by itself, and would make its folder again.
  await Promise.allSettled([playing]);
  vi.restoreAllMocks();
});

const MESSAGES = 10_000;
const SECOND = 1000;

/** A message on its way: devices send at `signed`, links deliver at `at`, perhaps twice, perhaps in another order. */
interface Delivery {
  at: number;
  device: Device;
  signed: bigint;
  active: boolean | undefined;
}

interface Device {
  source: Source;
  interval: number | undefined;
  /** Its clock knows only seconds. */
  isCoarse: boolean;
  history: Happening[];
}

function devices(): Device[] {
  const intervals = [undefined, undefined, 5 * SECOND, 20 * SECOND];
  const alarms = Array.from({ length: 20 }, (_, index) => ({
    source: index % 5 === 0 ? sharing(sourceOf(`d${index}`)) : sourceOf(`d${index}`),
    interval: intervals[index % intervals.length],
    isCoarse: index % 3 === 0,
    history: [],
  }));
  const sensors = Array.from({ length: 4 }, (_, index) => ({
    source: sourceOf(`d${index}`, 'climate'),
    interval: index === 0 ? undefined : 10 * SECOND,
    isCoarse: false,
    history: [],
  }));
  return [...alarms, ...sensors];
}

/** A topic whose series is that of others too. */
function sharing(source: Source): Source {
  return { ...source, tags: { site: 'hall' } };
}

/** Several messages arrive together. */
function rounded(moment: number): number {
  return Math.ceil(moment / 250) * 250;
}

/** Every message that arrives, copies included, in the order in which it does. */
function traffic(all: readonly Device[], random: () => number): Delivery[] {
  const deliveries: Delivery[] = [];
  const below = (limit: number): number => Math.floor(random() * limit);
  const sent = new Map<Device, { time: number; active: boolean }>();
  const late = (): number => (random() < 0.7 ? below(50) : below(15 * SECOND));
  while (deliveries.length < MESSAGES) {
    const device = all[below(all.length)] ?? all[0];
    if (device === undefined) throw new Error('no devices');
    const last = sent.get(device) ?? { time: START, active: false };
    // Mostly within the intervals, sometimes far beyond, and now and then twice within a millisecond.
    const time = last.time + (random() < 0.05 ? below(90 * SECOND) : below(4 * SECOND));
    const active = random() < 0.35 ? !last.active : last.active;
    sent.set(device, { time, active });
    const isSensor = device.source.measurement === 'climate';
    const message = {
      device,
      signed: device.isCoarse
        ? BigInt(Math.floor(time / SECOND)) * 1_000_000_000n
        : BigInt(time) * 1_000_000n + BigInt(below(1_000_000)),
      active: isSensor ? undefined : active,
    };
    // Readings come once and in order: which of them was the newest is not remembered over a restart.
    deliveries.push({ ...message, at: rounded(time + (isSensor ? 0 : late())) });
    while (!isSensor && random() < 0.2)
      deliveries.push({ ...message, at: rounded(time + late() + below(10 * SECOND)) });
  }
  return deliveries.sort((one, other) => one.at - other.at);
}

/** What arrives at the same moment. */
function groups(deliveries: readonly Delivery[]): Map<number, Delivery[]> {
  const byMoment = new Map<number, Delivery[]>();
  for (const delivery of deliveries) {
    const same = byMoment.get(delivery.at);
    if (same) same.push(delivery);
    else byMoment.set(delivery.at, [delivery]);
  }
  return byMoment;
}

/** Sends everything through real alarms that are restarted and killed meanwhile, and compares with the reference. */
async function play(
  from: number,
  delays: { on: number; off: number },
  signal: AbortSignal,
): Promise<{ changes: number; restarts: number }> {
  const random = seededRandom(from);
  const failing = failingBatches();
  const all = devices();
  const directory = tempDirectory('alarm-model');
  const rig = await AlarmRig.open(directory, { delays });
  for (const { source, interval } of all) if (interval !== undefined) rig.intervals.set(source.topic, interval);

  /** QoS 1: what is not done is sent again after a crash. */
  const unfinished = new Set<Delivery>();
  let process = 0;
  let restarts = 0;

  function report(delivery: Delivery): void {
    const { device, signed, active } = delivery;
    const started = process;
    unfinished.add(delivery);
    rig.alarms.report(device.source, { time: String(signed), active }, (outcome, error) => {
      if (started !== process) return;
      if (!error) unfinished.delete(delivery);
      rig.delivered.push({ outcome, error: error?.code });
    });
  }

  function command(what: 'acknowledge' | 'forget', device: Device, at: number): void {
    device.history.push({ at, what });
    const started = process;
    rig.alarms[what](device.source.topic, {}, (outcome, error) => {
      if (started === process) rig.delivered.push({ outcome, error: error?.code });
    });
  }

  async function restart(how: 'in order' | 'killed' | 'killed before it is written'): Promise<void> {
    const ended = rig.clock.wall();
    restarts += 1;
    if (how === 'in order') await rig.alarms.close();
    failing.failAll(how === 'killed before it is written');
    process += 1;
    rig.crash();
    await closeAll();
    failing.failAll(false);
    // After a kill that would only be a time in which everything is sent again later.
    if (how === 'in order' && random() < 0.5) rig.clock.moveTo(rig.clock.wall() + Math.floor(random() * 40 * SECOND));
    const at = rig.clock.wall();
    const befores = await readBefore(directory, all, [...unfinished], at);
    await rig.start();
    for (const device of all) {
      const before = befores.get(device) ?? { listened: at, heard: undefined, isExact: true };
      device.history.push({ at, what: 'restart', ended, before });
    }
    for (const delivery of [...unfinished]) report(delivery);
  }

  const fates = ['killed before it is written', 'killed', 'in order'] as const;
  for (const [arrival, arrivals] of groups(traffic(all, random))) {
    signal.throwIfAborted();
    rig.clock.moveTo(arrival);
    const fate = fates[Math.floor(random() * 100)];
    const last = Math.floor(random() * arrivals.length);
    // Nobody sends again what the clock has brought, and what came before would come later than the reference says.
    if (fate === 'killed before it is written') await rig.forget('nobody');
    for (const [index, delivery] of arrivals.entries()) {
      const { device, signed, active } = delivery;
      // What has arrived while nobody listened, the broker has kept.
      device.history.push({ at: rig.clock.wall(), what: 'message', signed, active });
      report(delivery);
      if (index === last && fate !== undefined) await restart(fate);
    }
    const dice = random();
    const someone = all[Math.floor(random() * all.length)];
    if (dice < 0.3) await new Promise(setImmediate);
    // An operator waits for what has been sent; a command that a crash has eaten would simply be given again.
    else if (dice < 0.5 && someone !== undefined) {
      await settled();
      command(dice < 0.48 ? 'acknowledge' : 'forget', someone, rig.clock.wall());
      await settled();
    }
  }

  async function settled(): Promise<void> {
    while (unfinished.size > 0) {
      signal.throwIfAborted();
      await new Promise(setImmediate);
    }
    await new Promise(setImmediate);
  }

  const end = rig.clock.wall() + 100 * SECOND;
  rig.clock.moveTo(end);
  await settled();
  await rig.alarms.close();

  let changes = 0;
  for (const { source, interval, history } of all) {
    const rules: Rules = { ...delays, interval };
    const isUnwatched = source.measurement === 'climate' && interval === undefined;
    const expected = isUnwatched ? [] : expectedChanges(history, rules, end);
    expect(changesOf(rig, source.topic), `seed ${from}, ${source.topic}`).toEqual(expected);
    changes += expected.length;
  }
  expect(rowsOf(rig, all).size).toBe(changes);
  await closeAll();
  return { changes, restarts };
}

/** What is stored of the time before the start. */
async function readBefore(
  directory: string,
  all: readonly Device[],
  sentAgain: readonly Delivery[],
  at: number,
): Promise<Map<Device, Before>> {
  const store = await openStore(directory);
  const kept = await KeptAlarms.open(store, 'node');
  const listening = await Listening.open({ store, node: 'node', clock: new FakeClock(at), isNeeded: () => false });
  listening.takeUp(kept.all());
  const befores = new Map<Device, Before>();
  for (const device of all) {
    const record = kept.get(device.source.topic);
    if (record === undefined) continue;
    const { from, isExact } = listening.gapOf(record, at);
    const isHeardNow = sentAgain.some((one) => one.device === device && one.signed > BigInt(record.newest));
    // Of an alarm every message is known.
    const heard = record.reading ? (isHeardNow ? at : record.heard) : undefined;
    befores.set(device, { listened: from, heard, isExact });
  }
  kept.close();
  return befores;
}

/** The rows that the log has in the end: one for each series and time. */
function rowsOf(rig: AlarmRig, all: readonly Device[]): Set<string> {
  const series = new Map(all.map(({ source }) => [source.topic, seriesOf(source)]));
  return new Set(rig.changes().map(({ alarm, time }) => `${series.get(alarm.id)} ${time}`));
}

/** The changes of an alarm as they were delivered; those that were announced again after a crash once. */
function changesOf(rig: AlarmRig, id: string): Expected[] {
  const seen = new Map<string, Expected>();
  for (const { event, alarm, time } of rig.changes()) {
    if (alarm.id !== id || seen.has(time)) continue;
    const { state, silent, acknowledged, since, changed } = alarm;
    seen.set(time, { event, at: changed, state, silent, acknowledged, since });
  }
  return [...seen.values()];
}

const campaigns = Array.from({ length: rounds(1, 50) }, (_, index) => seed + index);
const DELAYS = [
  { on: 0, off: 0 },
  { on: 3 * SECOND, off: 0 },
  { on: 2 * SECOND, off: 12 * SECOND },
];

it.for(campaigns.flatMap((from) => DELAYS.map((delays) => ({ from, ...delays }))))(
  `changes exactly as the reference model does (${MESSAGES} messages, seed $from, delays $on and $off ms)`,
  { timeout: 240_000 },
  async ({ from, on, off }, { signal }) => {
    const played = play(from, { on, off }, signal);
    playing = played;
    const { changes, restarts } = await played;
    expect(changes).toBeGreaterThan(500);
    console.log(`seed ${from}, delays ${on}/${off}: ${changes} changes, ${restarts} restarts, all as expected`);
  },
);
