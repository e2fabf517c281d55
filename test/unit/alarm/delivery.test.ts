import { describe, expect, it } from 'vitest';
import { encodeRecord } from '../../../nodes/lib/alarm/record';
import { KeptAlarms } from '../../../nodes/lib/alarm/kept-alarms';
import { tempDirectory } from '../../support/temp';
import { closeAll, openStore } from '../store/support';
import { AlarmRig, sourceOf, START, summary } from './support';

const smoke = sourceOf('d1');
const other = sourceOf('d2');
const MINUTE = 60_000;

async function crash(rig: AlarmRig): Promise<void> {
  rig.crash();
  await closeAll();
  await rig.start();
}

/** What is owed of an alarm by what is stored, and how large its record is. */
async function stored(directory: string, topic: string): Promise<{ owed: number; bytes: number }> {
  const kept = await KeptAlarms.open(await openStore(directory), 'node');
  const record = kept.get(topic);
  kept.close();
  return record ? { owed: record.owed.length, bytes: encodeRecord(record).length } : { owed: 0, bytes: 0 };
}

describe('what is owed', () => {
  it('stays small however often an alarm changes', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    const sizes: number[] = [];
    // Always sooner than a change has surely arrived.
    for (let step = 0; step < 400; step++) {
      rig.clock.moveTo(START + step * 900);
      await rig.say(smoke, step * 900, step % 2 === 0);
      if (step % 100 === 99) sizes.push((await stored(directory, smoke.topic)).bytes);
    }
    expect((await stored(directory, smoke.topic)).owed).toBeLessThanOrEqual(2);
    expect(Math.max(...sizes)).toBeLessThan(1500);
    await crash(rig);
    expect(rig.announced()).toEqual(['raised again', 'cleared again']);
  });

  it('is let go of when it has surely arrived, not sooner', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    await rig.say(smoke, 0, true);
    rig.clock.moveTo(START + 600);
    await rig.say(smoke, 1, false);
    rig.clock.moveTo(START + 999);
    await rig.say(smoke, 2, false);
    expect(await stored(directory, smoke.topic)).toMatchObject({ owed: 2 });
    rig.clock.moveTo(START + 1000);
    await rig.say(smoke, 3, false);
    expect(await stored(directory, smoke.topic)).toMatchObject({ owed: 1 });
    rig.clock.moveTo(START + 1600);
    await rig.say(smoke, 4, false);
    expect(await stored(directory, smoke.topic)).toMatchObject({ owed: 0 });
    expect(rig.clock.timers()).toBe(0);
  });
});

describe('while it is held', () => {
  it('nothing leaves, and all of it leaves in order after that', async () => {
    const rig = await AlarmRig.open(tempDirectory('delivery'), { delays: { on: 0, off: MINUTE } });
    rig.intervals.set(other.topic, MINUTE);
    await rig.say(other, 0, true);
    await rig.say(smoke, 0, true);
    await rig.say(smoke, 1, false);
    rig.clock.moveTo(START + 5000);
    rig.isHeld = true;
    const order: string[] = [];
    rig.clock.moveTo(START + MINUTE);
    rig.alarms.acknowledge(other.topic, {}, (outcome) => order.push(summary(outcome)));
    rig.clock.moveTo(START + 2 * MINUTE);
    rig.alarms.forget('nobody', {}, (outcome) => order.push(summary(outcome)));
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    expect(rig.announced()).toEqual([]);
    rig.isHeld = false;
    rig.alarms.resume();
    await rig.forget('nobody');
    expect(rig.announced()).toEqual(['cleared', 'silent']);
    expect(order).toEqual(['acknowledged', 'unknown-alarm']);
    expect(rig.announcements().map(({ change }) => change.alarm.changed)).toEqual([
      START + MINUTE,
      START + 1.5 * MINUTE,
    ]);
  });

  it('nothing counts as arrived, and what left just before is announced again', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    await rig.say(smoke, 0, true);
    rig.clock.moveTo(START + 1000);
    await rig.say(other, 0, true);
    rig.clock.moveTo(START + 1500);
    rig.isHeld = true;
    rig.clock.moveTo(START + 60_000);
    expect(rig.clock.timers()).toBe(0);
    rig.isHeld = false;
    rig.alarms.resume();
    expect(rig.announced()).toEqual(['raised again']);
    expect(rig.announcements()[0]).toMatchObject({ source: other });
    expect(await stored(directory, other.topic)).toMatchObject({ owed: 1 });
    rig.clock.moveTo(START + 61_000);
    await rig.say(smoke, 1, true);
    expect(await stored(directory, other.topic)).toMatchObject({ owed: 0 });
  });

  it('it can be closed, and what nobody got comes after the start', async () => {
    const rig = await AlarmRig.open(tempDirectory('delivery'));
    rig.isHeld = true;
    const order: string[] = [];
    rig.alarms.report(smoke, { time: '1', active: true }, (outcome) => order.push(summary(outcome)));
    await rig.alarms.close();
    expect(order).toEqual(['raised']);
    await closeAll();
    await rig.start();
    expect(rig.announced()).toEqual([]);
    rig.isHeld = false;
    rig.alarms.resume();
    expect(rig.announced()).toEqual(['raised again']);
  });
});
