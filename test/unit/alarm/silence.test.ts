import { describe, expect, it, vi } from 'vitest';
import type { Source } from '../../../nodes/lib/alarm/alarm';
import { listenedPrefix, prefixRange } from '../../../nodes/lib/store/keys';
import { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { closeAll, openStore } from '../store/support';
import { AlarmRig, sourceOf, START } from './support';

const smoke = sourceOf('d1');
const climate = sourceOf('d1', 'climate');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A node that has heard of a device at the start, with an interval. */
async function rigWith(source: Source, interval: number): Promise<AlarmRig> {
  const rig = await AlarmRig.open(tempDirectory('silence'));
  rig.intervals.set(source.topic, interval);
  await rig.say(source, 0, source === climate ? undefined : false);
  return rig;
}

/** Nobody listens from one moment to another. */
async function away(rig: AlarmRig, from: number, to: number, how: 'closed' | 'killed' = 'closed'): Promise<void> {
  rig.clock.moveTo(START + from);
  if (how === 'closed') await rig.alarms.close();
  else rig.crash();
  await closeAll();
  rig.clock.moveTo(START + to);
  await rig.start();
}

/** Whether it has been reported by this moment. */
async function isSilent(rig: AlarmRig, moment: number): Promise<boolean> {
  rig.clock.moveTo(START + moment);
  await rig.forget('nobody');
  return rig.announced().includes('silent');
}

async function expectSilentAt(rig: AlarmRig, moment: number): Promise<void> {
  expect(await isSilent(rig, moment - 1)).toBe(false);
  expect(await isSilent(rig, moment)).toBe(true);
}

describe.each([smoke, climate])('silence of $measurement after a start', (source) => {
  const heard = source === climate ? undefined : false;

  it('is reported at the time it had, if nothing was due', async () => {
    const rig = await rigWith(source, DAY);
    await away(rig, 0.1 * DAY, 0.9 * DAY);
    await expectSilentAt(rig, 1.5 * DAY);
  });

  it('waits an interval for what fell due while nobody listened', async () => {
    const rig = await rigWith(source, HOUR);
    await away(rig, 0.9 * HOUR, 10 * HOUR);
    await expectSilentAt(rig, 11.5 * HOUR);
  });

  it('waits so but once, and anew after a message', async () => {
    const rig = await rigWith(source, HOUR);
    await away(rig, 0.9 * HOUR, 10 * HOUR);
    await away(rig, 10.5 * HOUR, 11 * HOUR);
    await away(rig, 11.2 * HOUR, 11.3 * HOUR, 'killed');
    await expectSilentAt(rig, 11.5 * HOUR);
    await rig.say(source, 12 * HOUR, heard);
    rig.delivered.splice(0);
    await away(rig, 12 * HOUR, 20 * HOUR);
    await expectSilentAt(rig, 21.5 * HOUR);
  });

  it('keeps what was left of its time, if that ended while nobody listened', async () => {
    const rig = await rigWith(source, HOUR);
    await away(rig, 0.9 * HOUR, 10 * HOUR);
    await away(rig, 11.4 * HOUR, 30 * HOUR);
    await expectSilentAt(rig, 30.1 * HOUR);
  });

  it('is not put off by deploys', async () => {
    const rig = await rigWith(source, DAY);
    for (let deploy = 1; deploy <= 14; deploy++) {
      const at = deploy * 0.1 * DAY;
      await away(rig, at, at + 100);
    }
    // The time in which nobody listened while it was late already.
    expect(await isSilent(rig, 1.5 * DAY - 1)).toBe(false);
    expect(await isSilent(rig, 1.5 * DAY + 14 * 100)).toBe(true);
  });

  it('is reported with a deploy a day, whenever that is', async () => {
    for (const hour of [1, 9, 18]) {
      const rig = await rigWith(source, DAY);
      let day = 0;
      while (!(await isSilent(rig, day * DAY + hour * HOUR))) {
        await away(rig, day * DAY + hour * HOUR, day * DAY + hour * HOUR + 1000);
        day += 1;
        expect(day).toBeLessThanOrEqual(3);
      }
    }
  });

  it('leaves one that was late already what was left, and some time if nobody listened for long', async () => {
    const short = await rigWith(source, HOUR);
    await away(short, 1.2 * HOUR, 1.2 * HOUR + MINUTE);
    await expectSilentAt(short, 1.5 * HOUR + MINUTE);
    const long = await rigWith(source, HOUR);
    await away(long, 1.2 * HOUR, 9 * HOUR);
    await away(long, 9.1 * HOUR, 9.1 * HOUR, 'killed');
    await expectSilentAt(long, 9.5 * HOUR);
  });

  it.each([5 * DAY, -5 * DAY])(
    'is reported at the time it had, whatever the clock is set to (%i ms on)',
    async (by) => {
      const rig = await rigWith(source, HOUR);
      rig.clock.moveTo(START + 0.1 * HOUR);
      rig.clock.set(by);
      await away(rig, 0.2 * HOUR + by, 0.3 * HOUR + by);
      rig.clock.moveTo(START + 0.8 * HOUR + by);
      rig.clock.set(-by);
      // Killed after somebody has looked.
      expect(rig.alarms.active()).toEqual([]);
      await rig.written();
      await away(rig, 0.8 * HOUR, 0.8 * HOUR, 'killed');
      expect(await isSilent(rig, 1.4 * HOUR)).toBe(false);
      expect(await isSilent(rig, 1.5 * HOUR)).toBe(true);
    },
  );

  it('is not made at a start by a clock that was put back', async () => {
    const rig = await rigWith(source, HOUR);
    await away(rig, 0.9 * HOUR, 0.9 * HOUR);
    rig.crash();
    await closeAll();
    rig.clock.set(-5 * DAY);
    await rig.start();
    await expectSilentAt(rig, 0.9 * HOUR - 5 * DAY + 1.5 * HOUR);
  });

  it('begins when the registry has got an interval, also while nobody listened', async () => {
    const rig = await AlarmRig.open(tempDirectory('silence'));
    await rig.say(source, 0, false);
    rig.clock.moveTo(START + DAY);
    await rig.alarms.close();
    await closeAll();
    rig.intervals.set(source.topic, HOUR);
    await rig.start();
    await away(rig, DAY + MINUTE, DAY + MINUTE);
    await expectSilentAt(rig, DAY + 1.5 * HOUR);
  });

  it('waits for a registry that is read later', async () => {
    const rig = await rigWith(source, HOUR);
    rig.hasRegistry = false;
    await away(rig, 0.2 * HOUR, 0.3 * HOUR);
    rig.clock.moveTo(START + 0.4 * HOUR);
    await away(rig, 0.5 * HOUR, 0.6 * HOUR);
    rig.hasRegistry = true;
    rig.alarms.registryChanged();
    await expectSilentAt(rig, 1.5 * HOUR);
  });
});

it('of a sensor is not made by a kill that nobody could foresee', async () => {
  const rig = await rigWith(climate, 4000);
  for (let at = 4000; at <= 60_000; at += 4000) {
    rig.clock.moveTo(START + at);
    await rig.say(climate, at, undefined);
  }
  // Up to 10 seconds of what was heard are not stored.
  await away(rig, 63_000, 63_000, 'killed');
  expect(await isSilent(rig, 63_000 + 5999)).toBe(false);
  expect(await isSilent(rig, 63_000 + 6000)).toBe(true);
});

it('costs no write for each reading, however many sensors there are', async () => {
  const directory = tempDirectory('silence');
  const rig = await AlarmRig.open(directory);
  const sensors = Array.from({ length: 2500 }, (_, index) => sourceOf(`s${index}`, 'climate'));
  for (const { topic } of sensors) rig.intervals.set(topic, HOUR);
  await Promise.all(sensors.map((source) => rig.say(source, 0, undefined)));
  const batch = vi.spyOn(Store.prototype, 'batch');
  for (let second = 1; second <= 60; second++) {
    rig.clock.moveTo(START + second * 1000);
    await Promise.all(sensors.map((source) => rig.say(source, second * 1000, undefined)));
  }
  const written = batch.mock.calls.length;
  batch.mockRestore();
  expect(written).toBeGreaterThanOrEqual(15);
  expect(written).toBeLessThanOrEqual(20);
  await away(rig, 61_000, 61_000);
  let pages = 0;
  for await (const page of (await openStore(directory)).pages(prefixRange(listenedPrefix('node'))))
    pages += page.length;
  expect(pages).toBe(3);
  rig.clock.moveTo(START + MINUTE + 1.5 * HOUR - 1);
  await rig.forget('nobody');
  expect(rig.announced()).toEqual([]);
  rig.clock.moveTo(START + MINUTE + 1.5 * HOUR);
  await rig.forget('nobody');
  expect(rig.announced()).toHaveLength(sensors.length);
});
