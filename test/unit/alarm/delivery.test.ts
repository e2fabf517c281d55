import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeRecord } from '../../../nodes/lib/alarm/record';
import { LEAST_SEEN } from '../../../nodes/lib/alarm/seen';
import { KeptAlarms } from '../../../nodes/lib/alarm/kept-alarms';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { failingBatches, interceptBatches } from '../store/level-batches';
import { accept, closeAll, openQueue, openStore } from '../store/support';
import { AlarmRig, ON_ITS_WAY, sourceOf, START, summary } from './support';

const smoke = sourceOf('d1');
const other = sourceOf('d2');
const MINUTE = 60_000;

afterEach(() => vi.restoreAllMocks());

async function crash(rig: AlarmRig): Promise<void> {
  rig.crash();
  await closeAll();
  await rig.start();
}

/** How much is owed by what is stored, and how large the record of an alarm is. */
async function stored(directory: string, topic = smoke.topic): Promise<{ owed: number; bytes: number }> {
  const kept = await KeptAlarms.open(await openStore(directory), 'node');
  const record = kept.get(topic);
  kept.close();
  const owed = kept.owed().filter(({ source }) => source.topic === topic).length;
  return { owed, bytes: record ? encodeRecord(record).length : 0 };
}

describe('what is owed', () => {
  it('costs the same however often an alarm changes', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    const put: number[] = [];
    interceptBatches(({ operations, apply }) => {
      put.push(JSON.stringify(operations).length);
      return apply();
    });
    // Until so many messages are remembered as there ever are.
    for (let step = 0; step < 2 * LEAST_SEEN; step++) await rig.say(smoke, step, false);
    put.splice(0);
    for (let step = 0; step < 2 * LEAST_SEEN; step++) await rig.say(smoke, 2 * LEAST_SEEN + step, step % 2 === 0);
    expect((await stored(directory)).owed).toBe(2 * LEAST_SEEN);
    expect(Math.max(...put.slice(LEAST_SEEN))).toBeLessThan(Math.max(...put.slice(0, LEAST_SEEN)) * 1.05);
    await crash(rig);
    expect(rig.announced()).toEqual(Array.from({ length: LEAST_SEEN }, () => ['raised again', 'cleared again']).flat());
    await rig.pass(ON_ITS_WAY);
    await rig.pass(ON_ITS_WAY);
    expect((await stored(directory)).owed).toBe(0);
  });

  it('is let go of when it has surely arrived, not sooner', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    await rig.say(smoke, 0, true);
    await rig.pass(ON_ITS_WAY - 1);
    await rig.say(smoke, 1, false);
    await rig.pass(1);
    await rig.say(smoke, 2, true);
    expect(await stored(directory)).toMatchObject({ owed: 3 });
    await rig.pass(ON_ITS_WAY);
    expect(await stored(directory)).toMatchObject({ owed: 1 });
    await rig.pass(ON_ITS_WAY - 1);
    expect(await stored(directory)).toMatchObject({ owed: 1 });
    await rig.pass(1);
    expect(await stored(directory)).toMatchObject({ owed: 0 });
    expect(rig.clock.timers()).toBe(0);
  });

  it('is not let go of by a time in which the process hung', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    await rig.say(smoke, 0, true);
    await rig.pass(10 * MINUTE);
    expect(await stored(directory)).toMatchObject({ owed: 1 });
    await rig.pass(ON_ITS_WAY - 1);
    expect(await stored(directory)).toMatchObject({ owed: 1 });
    await rig.pass(1);
    expect(await stored(directory)).toMatchObject({ owed: 0 });
  });

  it('is not let go of before the point of the change is queued, however long the disk hangs', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    const queue = await openQueue(await openStore(directory));
    let goOn: () => void = () => undefined;
    const disk = new Promise<void>((resolve) => (goOn = resolve));
    const written: string[] = [];
    let isHanging = false;
    interceptBatches(async ({ operations, apply }) => {
      for (const { type, key } of operations as { type: string; key: string }[]) written.push(`${type} ${key}`);
      if (isHanging) await disk;
      await apply();
    });
    await rig.say(smoke, 0, true);
    isHanging = true;
    // The disk hangs with this one, and influx-write hands the next one to the store only after it.
    const before = accept(queue, 'climate value=1 1', { bucket: 'events', priority: 'event' });
    await until('the disk is busy', () => written.some((operation) => operation.startsWith('put chunk/')));
    const row = accept(queue, 'alarms event="raised" 1', { bucket: 'events', priority: 'event' });
    for (let turn = 0; turn < 5; turn++) {
      rig.clock.moveTo(rig.clock.wall() + ON_ITS_WAY);
      await new Promise(setImmediate);
    }
    goOn();
    isHanging = false;
    await Promise.all([before, row]);
    await rig.written();
    expect(written.filter((operation) => operation.startsWith('del owed/'))).toEqual([]);
    await rig.pass(ON_ITS_WAY);
    await rig.pass(ON_ITS_WAY);
    const [, chunk = NaN] = written.flatMap((operation, at) => (operation.startsWith('put chunk/') ? [at] : []));
    expect(written.findIndex((operation) => operation.startsWith('del owed/'))).toBeGreaterThan(chunk);
  });

  it('is announced again as the row that it was, wherever the registry has the topic now', async () => {
    const rig = await AlarmRig.open(tempDirectory('delivery'));
    await rig.say(smoke, 0, true);
    await rig.say({ ...smoke, bucket: 'other', tags: {} }, 1, true);
    await crash(rig);
    expect(rig.announcements()).toMatchObject([{ source: smoke, again: true }]);
  });
});

describe('when the store has failed', () => {
  it('what may have been refused downstream is announced again, once and marked', async () => {
    const failing = failingBatches();
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    await rig.say(other, 0, true);
    await rig.pass(ON_ITS_WAY);
    await rig.pass(ON_ITS_WAY);
    // It has arrived; this one may not have when the disk is full.
    await rig.say(other, 1, false);
    failing.failAll(true);
    expect(await rig.say(smoke, 0, true)).toBe('raised');
    for (let turn = 0; turn < 5; turn++) {
      rig.clock.moveTo(rig.clock.wall() + ON_ITS_WAY);
      await new Promise(setImmediate);
    }
    expect(rig.announced()).toEqual([]);
    failing.failAll(false);
    const store = await openStore(directory);
    await until('the store works again', () => store.fault === undefined);
    await rig.pass(ON_ITS_WAY);
    expect(rig.announced()).toEqual(['cleared again', 'raised again']);
    expect(rig.delivered.at(-1)?.error).toBeUndefined();
    await rig.pass(ON_ITS_WAY);
    await rig.pass(ON_ITS_WAY);
    expect(await stored(directory, smoke.topic)).toMatchObject({ owed: 0 });
    await crash(rig);
    expect(rig.announced()).toEqual(['cleared again', 'raised again']);
    expect(rig.alarms.get(smoke.topic)).toMatchObject({ state: 'raised' });
  });

  it('what has arrived meanwhile is not announced again after the next start', async () => {
    const failing = failingBatches();
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    await rig.say(smoke, 0, true);
    await rig.pass(ON_ITS_WAY);
    failing.failAll(true);
    rig.clock.moveTo(rig.clock.wall() + ON_ITS_WAY);
    const store = await openStore(directory);
    await until('it has failed', () => store.fault !== undefined);
    failing.failAll(false);
    await until('the store works again', () => store.fault === undefined);
    await until('it is settled', async () => (await stored(directory)).owed === 0);
    await crash(rig);
    expect(rig.announced()).toEqual([]);
  });
});

describe('while it is held', () => {
  it('nothing leaves, and all of it leaves in order after that', async () => {
    const rig = await AlarmRig.open(tempDirectory('delivery'), { delays: { on: 0, off: MINUTE } });
    rig.intervals.set(other.topic, MINUTE);
    await rig.say(other, 0, true);
    await rig.say(smoke, 0, true);
    await rig.say(smoke, 1, false);
    await rig.pass(ON_ITS_WAY);
    await rig.pass(ON_ITS_WAY);
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

  it('nothing counts as arrived, and what left shortly before is announced again', async () => {
    const directory = tempDirectory('delivery');
    const rig = await AlarmRig.open(directory);
    await rig.say(smoke, 0, true);
    await rig.pass(ON_ITS_WAY);
    await rig.say(other, 0, true);
    await rig.pass(ON_ITS_WAY);
    rig.isHeld = true;
    await rig.pass(MINUTE);
    expect(rig.clock.timers()).toBe(0);
    rig.isHeld = false;
    rig.alarms.resume();
    expect(rig.announced()).toEqual(['raised again']);
    expect(rig.announcements()[0]).toMatchObject({ source: other });
    await rig.pass(ON_ITS_WAY);
    expect(await stored(directory, other.topic)).toMatchObject({ owed: 1 });
    await rig.pass(ON_ITS_WAY);
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
