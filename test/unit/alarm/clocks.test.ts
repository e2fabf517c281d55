import { afterEach, describe, expect, it, vi } from 'vitest';
import { decodeRecord, encodeRecord } from '../../../nodes/lib/alarm/record';
import { alarmKey } from '../../../nodes/lib/store/keys';
import { rounds, seed, seededRandom } from '../../support/campaign';
import { tempDirectory } from '../../support/temp';
import { closeAll, openStore } from '../store/support';
import { AlarmRig, signed, sourceOf, START, summary } from './support';

const smoke = sourceOf('d1');
const climate = sourceOf('d1', 'climate');
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

afterEach(() => vi.restoreAllMocks());

async function restart(rig: AlarmRig): Promise<void> {
  await rig.alarms.close();
  await closeAll();
  await rig.start();
}

/** A message that is signed by the clock of the test, so many milliseconds off. */
async function say(rig: AlarmRig, active: boolean | undefined, ahead = 0, source = smoke): Promise<string> {
  rig.clock.moveTo(rig.clock.wall() + SECOND);
  return rig.say(source, rig.clock.wall() - START + ahead, active);
}

describe('a clock that was ahead', () => {
  it.each([false, true])('of this computer mutes no alarm (restarted meanwhile: %s)', async (isRestarted) => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    rig.clock.set(DAY);
    expect(await say(rig, false)).toBe('repeated');
    if (isRestarted) await rig.alarms.close();
    rig.clock.set(-DAY);
    if (isRestarted) {
      await closeAll();
      await rig.start();
    }
    expect(await say(rig, true)).toBe('raised');
    expect(rig.notices.map(({ name }) => name)).toEqual(['clock']);
    expect(rig.alarms.faults.clock).toBe(1);
    expect(await say(rig, true)).toBe('repeated');
    expect(await say(rig, false)).toBe('cleared');
    expect(await say(rig, true)).toBe('raised');
    // What was said while the clock was ahead does not count once more when that day has come.
    rig.clock.moveTo(START + DAY + MINUTE);
    expect(await rig.say(smoke, DAY + SECOND, false)).toBe('outdated');
    expect(rig.alarms.get(smoke.topic)?.state).toBe('raised');
  });

  it('of this computer leaves no alarm raised for a day', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    rig.clock.set(DAY);
    expect(await say(rig, true)).toBe('raised');
    rig.clock.set(-DAY);
    expect(await say(rig, false)).toBe('cleared');
  });

  it('of a device within its window mutes no alarm', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    expect(await say(rig, false, 50 * SECOND)).toBe('repeated');
    expect(await say(rig, true)).toBe('raised');
    expect(await say(rig, false)).toBe('cleared');
    expect(await say(rig, true)).toBe('raised');
    expect(rig.alarms.get(smoke.topic)?.since).toBe(rig.clock.wall());
  });

  it('of a device within its window clears at once what that device raised', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    expect(await say(rig, true, 50 * SECOND)).toBe('raised');
    expect(await say(rig, false)).toBe('cleared');
  });

  it('makes no sensor silent that reports', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    rig.intervals.set(climate.topic, 10 * SECOND);
    await say(rig, undefined, 50 * SECOND, climate);
    for (let reading = 0; reading < 60; reading++) expect(await say(rig, undefined, 0, climate)).toBe('alive');
    rig.clock.set(DAY);
    await say(rig, undefined, 0, climate);
    rig.clock.set(-DAY);
    for (let reading = 0; reading < 60; reading++) expect(await say(rig, undefined, 0, climate)).toBe('alive');
    expect(rig.announced()).toEqual([]);
  });
});

describe('a device whose clock is put back', () => {
  it('is heard when it says that its alarm is active, and when that is over', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    expect(await say(rig, false)).toBe('repeated');
    expect(await say(rig, true, -10 * MINUTE)).toBe('raised');
    expect(await say(rig, true, -10 * MINUTE)).toBe('repeated');
    await restart(rig);
    expect(await say(rig, false, -10 * MINUTE)).toBe('cleared');
    expect(await say(rig, true, -10 * MINUTE)).toBe('raised');
    expect(await say(rig, false)).toBe('cleared');
  });

  it('is heard while its alarm is about to be cleared', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'), { delays: { on: 0, off: MINUTE } });
    await say(rig, true);
    expect(await say(rig, false)).toBe('pending');
    expect(await say(rig, true, -10 * MINUTE)).toBe('repeated');
    rig.clock.moveTo(rig.clock.wall() + HOUR);
    expect(rig.announced()).toEqual([]);
  });

  it('is heard after an operator has had its alarm forgotten', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    await say(rig, true);
    await rig.forget(smoke.topic);
    expect(await say(rig, true, -10 * MINUTE)).toBe('raised');
  });
});

describe('a message that was here before', () => {
  it('changes nothing, whatever the clocks have done', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    const said: [number, boolean][] = [];
    const hear = async (active: boolean, ahead: number): Promise<void> => {
      await say(rig, active, ahead);
      said.push([rig.clock.wall() - START + ahead, active]);
    };
    const random = seededRandom();
    for (let message = 0; message < 120; message++) {
      await hear(random() < 0.5, random() < 0.2 ? -Math.floor(random() * HOUR) : Math.floor(random() * MINUTE));
      if (message % 40 === 0) await restart(rig);
      const before = rig.alarms.get(smoke.topic);
      for (const [time, active] of said) {
        expect(['repeated', 'outdated']).toContain(await rig.say(smoke, time, active));
      }
      expect(rig.alarms.get(smoke.topic)).toEqual(before);
    }
  });

  it('changes nothing, however long ago that was', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    const said: [number, boolean][] = [];
    for (let message = 0; message < 1000; message++) {
      await say(rig, message % 10 < 3);
      said.push([rig.clock.wall() - START, message % 10 < 3]);
    }
    await say(rig, false);
    await restart(rig);
    for (const [time, active] of said) expect(await rig.say(smoke, time, active)).toBe('outdated');
    expect(rig.alarms.active()).toEqual([]);
    // A message that is not among those that are remembered counts.
    const [newest] = said.at(-1) ?? [0];
    expect(await rig.say(smoke, newest - 500, true)).toBe('raised');
  });

  it('does not clear what was raised after the clock was put back', async () => {
    const rig = await AlarmRig.open(tempDirectory('clocks'));
    await say(rig, true, 40 * SECOND);
    await say(rig, false, 40 * SECOND);
    const cleared = rig.clock.wall() - START + 40 * SECOND;
    expect(await say(rig, true)).toBe('raised');
    await restart(rig);
    expect(await rig.say(smoke, cleared, false)).toBe('outdated');
    expect(rig.alarms.get(smoke.topic)?.state).toBe('raised');
  });
});

it('an older message never clears an alarm that a right clock has raised', async () => {
  const rig = await AlarmRig.open(tempDirectory('clocks'));
  expect(await say(rig, true)).toBe('raised');
  for (const ago of [1, 10, SECOND, MINUTE, 50 * MINUTE]) {
    expect(await rig.say(smoke, SECOND - ago, false)).toBe('outdated');
  }
});

it('the rows of changes have the signed times of the messages that brought them, and none is ahead for ever', async () => {
  const rig = await AlarmRig.open(tempDirectory('clocks'));
  await rig.say(smoke, 0, true);
  rig.clock.moveTo(START + 10 * SECOND);
  await rig.say(smoke, 5 * SECOND, false);
  rig.clock.set(DAY);
  await rig.say(smoke, DAY + 20 * SECOND, true);
  rig.clock.set(-DAY);
  rig.clock.moveTo(START + 30 * SECOND);
  const { changes } = await rig.acknowledge(smoke.topic);
  const times = [...rig.changes(), ...changes].map(({ event, time }) => [event, time]);
  expect(times).toEqual([
    ['raised', signed(0)],
    ['cleared', signed(5 * SECOND)],
    ['raised', signed(DAY + 20 * SECOND)],
    ['acknowledged', signed(30 * SECOND)],
  ]);
});

it('records of old releases are taken up as they are', async () => {
  const directory = tempDirectory('clocks');
  const rig = await AlarmRig.open(directory);
  await rig.say(smoke, 10, true);
  await rig.alarms.close();
  const store = await openStore(directory);
  const added = new Set(['seen', 'entry', 'left', 'highest']);
  const old = Object.entries(await firstRecord(directory)).filter(([member]) => !added.has(member));
  const value = Buffer.from(JSON.stringify(Object.fromEntries(old)));
  await store.batch([{ type: 'put', key: alarmKey('node', smoke.topic), value }], { sync: true });
  await closeAll();
  await rig.start();
  expect(rig.alarms.active()).toMatchObject([{ id: smoke.topic, state: 'raised' }]);
  expect(await rig.say(smoke, 10, true)).toBe('repeated');
  expect(await rig.say(smoke, 9, false)).toBe('outdated');
  expect(await rig.say(smoke, 11, false)).toBe('cleared');
});

async function firstRecord(directory: string): Promise<Record<string, unknown>> {
  const store = await openStore(directory);
  const key = alarmKey('node', smoke.topic);
  for await (const page of store.pages({ gte: key, lt: `${key}~` })) {
    for (const [, value] of page) {
      const record = decodeRecord(value);
      if (record !== undefined) return JSON.parse(encodeRecord(record).toString()) as Record<string, unknown>;
    }
  }
  throw new Error('there is no record');
}

/** What a broker still holds: `at` is by a clock that nobody sets. */
interface Sent {
  at: number;
  device: number;
  signed: number;
  active: boolean;
  /** By a right clock. */
  isRight: boolean;
}

const MESSAGES = 10_000;
const STEPS = [SECOND, 10 * SECOND, 50 * SECOND, MINUTE, 10 * MINUTE, HOUR, DAY, 30 * DAY];

/**
 * 10,000 messages of devices that repeat what they say, whose clocks, like this computer's, are set by seconds to days, forward
 * and back; through a broker that is away for a while now and then, and an hmac-verify that refuses what is out of the window.
 */
async function play(from: number, isDelayed: boolean): Promise<{ steps: number; checked: number }> {
  const random = seededRandom(from);
  const below = (limit: number): number => Math.floor(random() * limit);
  const on = isDelayed ? 2 * SECOND : 0;
  const rig = await AlarmRig.open(tempDirectory('clocks'), { delays: { on, off: isDelayed ? 5 * SECOND : 0 } });
  const sources = Array.from({ length: 8 }, (_, index) => sourceOf(`d${index}`));
  const devices = sources.map(() => ({ offset: 0, active: false, since: Infinity }));
  const queue: Sent[] = [];
  let [time, server, steps, checked] = [START, 0, 0, 0];
  const step = (): number => {
    steps += 1;
    return random() < 0.4 ? 0 : (random() < 0.5 ? -1 : 1) * ((STEPS[below(STEPS.length)] ?? 0) + below(SECOND));
  };
  const isAccepted = (sent: Sent): boolean => {
    const age = rig.clock.wall() - sent.signed;
    return age <= HOUR && age >= -MINUTE;
  };
  const deliver = async (sent: Sent): Promise<void> => {
    if (!isAccepted(sent)) return;
    const source = sources[sent.device] ?? smoke;
    const nanoseconds = String(BigInt(Math.floor(sent.signed)) * 1_000_000n + BigInt(sent.at % 1000));
    await rig.report(source, { time: nanoseconds, active: sent.active });
    const device = devices[sent.device];
    // Only what has just been said by a right clock, and is judged by one, has to be right.
    if (device === undefined || !sent.isRight || server !== 0 || time - sent.at > 2 * SECOND) return;
    if (!sent.active) {
      device.since = Infinity;
      return;
    }
    // With a delay, it is the repetition that counts, once that has passed.
    device.since = Math.min(device.since, sent.at);
    if (sent.at - device.since < on) return;
    checked += 1;
    expect(rig.alarms.get(source.topic)?.state, `seed ${from}, ${source.topic} at ${time - START}`).toBe('raised');
  };
  let awayUntil = 0;
  for (let message = 0; message < MESSAGES; message++) {
    const pause = 100 + below(900);
    time += pause;
    rig.clock.moveTo(rig.clock.wall() + pause);
    if (random() < 0.004) {
      const before = server;
      server = random() < 0.5 ? 0 : step();
      rig.clock.set(server - before);
    }
    if (random() < 0.002) awayUntil = time + below(10 * MINUTE);
    if (random() < 0.001) {
      await rig.alarms.close();
      await closeAll();
      await rig.start();
    }
    const index = below(devices.length);
    const device = devices[index];
    if (device === undefined) throw new Error('there is no such device');
    if (random() < 0.02) {
      device.offset = random() < 0.5 ? 0 : step();
      device.since = Infinity;
    }
    if (random() < 0.2) device.active = !device.active;
    const [signedAt, isRight] = [time + device.offset, device.offset === 0];
    queue.push({ at: time, device: index, signed: signedAt, active: device.active, isRight });
    if (time < awayUntil) continue;
    for (const sent of queue.splice(0)) {
      await deliver(sent);
      // QoS 1: now and then once more.
      if (random() < 0.1) await deliver({ ...sent, isRight: false });
    }
  }
  await rig.alarms.close();
  await closeAll();
  return { steps, checked };
}

const campaigns = Array.from({ length: rounds(1, 50) }, (_, index) => seed + index);

it.for(campaigns.flatMap((from) => [false, true].map((isDelayed) => ({ from, isDelayed }))))(
  `no alarm that is active by a right clock stays unraised (${MESSAGES} messages, seed $from, delayed: $isDelayed)`,
  { timeout: 240_000 },
  async ({ from, isDelayed }) => {
    const { steps, checked } = await play(from, isDelayed);
    expect(checked).toBeGreaterThan(500);
    console.log(`seed ${from}: ${MESSAGES} messages, ${steps} steps of clocks, ${checked} active alarms raised`);
  },
);

it('an acknowledgement is of the alarm that began then, whatever the clocks do', async () => {
  const rig = await AlarmRig.open(tempDirectory('clocks'));
  rig.clock.set(DAY);
  await say(rig, true);
  const since = rig.alarms.get(smoke.topic)?.since;
  rig.clock.set(-DAY);
  await say(rig, true);
  expect(rig.alarms.get(smoke.topic)?.since).toBe(since);
  expect(summary(await rig.acknowledge(smoke.topic, 'Ada', since))).toBe('acknowledged');
});
