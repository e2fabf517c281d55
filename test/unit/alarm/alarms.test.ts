import { afterEach, describe, expect, it, vi } from 'vitest';
import { alarmId, type Source } from '../../../nodes/lib/alarm/alarm';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { failingBatches } from '../store/level-batches';
import { closeAll } from '../store/support';
import { AlarmRig, signed, sourceOf, START, summary } from './support';

const smoke = sourceOf('d1');
const other = sourceOf('d2');
const MINUTE = 60_000;

afterEach(() => vi.restoreAllMocks());

async function restart(rig: AlarmRig): Promise<void> {
  await rig.alarms.close();
  await closeAll();
  await rig.start();
}

async function crash(rig: AlarmRig): Promise<void> {
  rig.crash();
  await closeAll();
  await rig.start();
}

describe('an alarm', () => {
  it('is raised, repeated, acknowledged, cleared, and raised again', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    expect(await rig.say(smoke, 0, false, 'low')).toBe('repeated');
    rig.clock.moveTo(START + 50);
    expect(await rig.say(smoke, 10, true, 'high')).toBe('raised');
    expect(rig.alarms.get(smoke.id)).toEqual({
      id: 'alarms,alarm=smoke,device=d1,site=hall',
      state: 'raised',
      acknowledged: false,
      silent: false,
      since: START + 10,
      changed: START + 50,
      severity: 'high',
      count: 1,
      tags: { site: 'hall', device: 'd1', alarm: 'smoke' },
    });
    expect(await rig.say(smoke, 20, true, 'critical')).toBe('repeated');
    expect(rig.alarms.get(smoke.id)).toMatchObject({ since: START + 10, count: 2, severity: 'critical' });
    const acknowledged = await rig.acknowledge(smoke.id, 'Ada');
    expect(acknowledged.changes).toMatchObject([{ event: 'acknowledged', by: 'Ada', alarm: { acknowledged: true } }]);
    expect(summary(await rig.acknowledge(smoke.id))).toBe('not-active');
    expect(await rig.say(smoke, 30, false)).toBe('cleared');
    expect(rig.alarms.active()).toEqual([]);
    expect(summary(await rig.acknowledge(smoke.id))).toBe('not-active');
    expect(await rig.say(smoke, 40, true)).toBe('raised');
    expect(rig.alarms.active()).toMatchObject([{ acknowledged: false, since: START + 40 }]);
    expect(rig.alarms.active()[0]).not.toHaveProperty('severity');
    expect(summary(await rig.acknowledge('nothing'))).toBe('unknown-alarm');
  });

  it('moves forward in signed time only', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    expect(await rig.say(smoke, 10, true)).toBe('raised');
    expect(await rig.say(smoke, 10, true)).toBe('repeated');
    expect(await rig.say(smoke, 10, false)).toBe('outdated');
    expect(await rig.say(smoke, 9, false)).toBe('outdated');
    expect(await rig.say(smoke, 9, true)).toBe('outdated');
    expect(rig.alarms.get(smoke.id)).toMatchObject({ state: 'raised', count: 1 });
    await restart(rig);
    expect(await rig.say(smoke, 9, false)).toBe('outdated');
    expect(await rig.say(smoke, 10, true)).toBe('repeated');
    expect(await rig.say(smoke, 11, false)).toBe('cleared');
    expect(await rig.say(smoke, 10, true)).toBe('outdated');
  });

  it('can be acknowledged as the one that was seen', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    await rig.say(smoke, 10, true);
    await rig.say(smoke, 20, false);
    await rig.say(smoke, 30, true);
    expect(summary(await rig.acknowledge(smoke.id, 'Ada', START + 10))).toBe('not-active');
    expect(summary(await rig.acknowledge(smoke.id, 'Ada', START + 30))).toBe('acknowledged');
  });

  it('is forgotten with its device, until that says something new', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    rig.intervals.set(smoke.topic, MINUTE);
    await rig.say(smoke, 10, true);
    expect((await rig.forget(smoke.id, 'Ada')).changes).toMatchObject([
      { event: 'forgotten', by: 'Ada', alarm: { state: 'cleared', silent: false } },
    ]);
    expect(summary(await rig.forget(smoke.id))).toBe('not-active');
    await restart(rig);
    rig.clock.moveTo(START + 10 * MINUTE);
    rig.alarms.registryChanged();
    expect(rig.alarms.active()).toEqual([]);
    expect(await rig.say(smoke, 10, true)).toBe('outdated');
    expect(await rig.say(smoke, 11, true)).toBe('raised');
    rig.clock.moveTo(START + 12 * MINUTE);
    await until('it is silent', () => rig.announced().includes('silent'));
  });

  it('has an id that no other one has', () => {
    const ids = [
      alarmId('a', { x: '1,y=2' }),
      alarmId('a', { x: '1', y: '2' }),
      alarmId('a,x=1', { y: '2' }),
      alarmId('a', { 'x=1,y': '2' }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(alarmId('a b', { z: 'ü', b: '' })).toBe('a\\ b,b=,z=ü');
  });
});

describe('delays', () => {
  const delays = { on: 5000, off: 10_000 };

  it('let through only what lasts', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'), { delays });
    expect(await rig.say(smoke, 0, true)).toBe('pending');
    rig.clock.moveTo(START + 4999);
    expect(await rig.say(smoke, 4999, false)).toBe('repeated');
    rig.clock.moveTo(START + 10_000);
    expect(rig.announced()).toEqual([]);

    expect(await rig.say(smoke, 10_000, true)).toBe('pending');
    expect(await rig.say(smoke, 12_000, true)).toBe('pending');
    rig.clock.moveTo(START + 15_000);
    await until('it is raised', () => rig.announced().length === 1);
    expect(rig.announcements()[0]).toMatchObject({
      again: false,
      source: smoke,
      change: { event: 'raised', alarm: { since: START + 10_000, changed: START + 15_000, count: 2 } },
    });

    expect(await rig.say(smoke, 15_000, false)).toBe('pending');
    rig.clock.moveTo(START + 20_000);
    expect(await rig.say(smoke, 20_000, true)).toBe('repeated');
    rig.clock.moveTo(START + 30_000);
    expect(await rig.say(smoke, 30_000, false)).toBe('pending');
    rig.clock.moveTo(START + 40_000);
    await until('it is cleared', () => rig.announced().length === 2);
    expect(rig.announcements()[1]).toMatchObject({ change: { event: 'cleared', alarm: { since: START + 30_000 } } });
  });

  it('are over when the signed times say so, however late the messages come', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'), { delays });
    await rig.say(smoke, 0, true);
    expect(await rig.say(smoke, 5000, true)).toBe('raised');
    expect(await rig.say(smoke, 6000, false)).toBe('pending');
    expect(await rig.say(smoke, 16_000, true)).toBe('cleared');
    expect(await rig.say(smoke, 21_000, false)).toBe('raised');
    rig.clock.moveTo(START + 10_000);
    await until('it is cleared', () => rig.announced().length === 1);
    expect(rig.announced()).toEqual(['cleared']);
  });

  it('go on over a restart, whatever the clock does', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'), { delays });
    await rig.say(smoke, 0, true);
    rig.clock.moveTo(START + 3000);
    await rig.say(other, 3000, true);
    await restart(rig);
    rig.clock.moveTo(START + 5000);
    await until('it is raised', () => rig.announced().length === 1);
    expect(rig.announcements()[0]).toMatchObject({ source: smoke, change: { event: 'raised' } });
    vi.spyOn(rig.clock, 'wall').mockReturnValue(START - 1_000_000);
    await restart(rig);
    vi.restoreAllMocks();
    rig.clock.moveTo(START + 9999);
    expect(rig.announcements().map(({ source }) => source.id)).not.toContain(other.id);
    rig.clock.moveTo(START + 10_000);
    await until('it is raised', () => rig.announcements().some(({ source }) => source.id === other.id));
  });
});

describe('silence', () => {
  const climate = sourceOf('d1', 'climate');

  it('is noticed half an interval after a message was due, and its end too', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    rig.intervals.set(smoke.topic, MINUTE);
    await rig.say(smoke, 0, true);
    await rig.acknowledge(smoke.id);
    rig.clock.moveTo(START + 1.5 * MINUTE - 1);
    await rig.say(smoke, MINUTE, true);
    rig.clock.moveTo(START + 3 * MINUTE - 2);
    expect(rig.announced()).toEqual([]);
    rig.clock.moveTo(START + 3 * MINUTE - 1);
    await until('it is silent', () => rig.announced().length === 1);
    expect(rig.announcements()[0]?.change).toMatchObject({
      event: 'silent',
      alarm: { state: 'raised', silent: true, acknowledged: false },
    });
    expect(rig.alarms.totals()).toEqual({ raised: 1, silent: 1, unacknowledged: 1 });
    rig.clock.moveTo(START + 20 * MINUTE);
    expect(rig.announced()).toEqual(['silent']);
    // Neither a copy nor an older message shows that it lives.
    expect(await rig.say(smoke, MINUTE, true)).toBe('repeated');
    expect(await rig.say(smoke, 1, true)).toBe('outdated');
    expect(rig.alarms.get(smoke.id)?.silent).toBe(true);
    expect(await rig.say(smoke, 19 * MINUTE, false)).toBe('returned, cleared');
    rig.clock.moveTo(START + 21.5 * MINUTE);
    await until('it is silent again', () => rig.announced().length === 2);
  });

  it('of a sensor, whose readings are no alarms', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    expect(await rig.say(climate, 0, undefined)).toBe('unwatched');
    expect(rig.alarms.get(climate.id)).toBeUndefined();
    rig.intervals.set(climate.topic, MINUTE);
    expect(await rig.say(climate, 1, undefined)).toBe('alive');
    expect(await rig.say(climate, 1, undefined)).toBe('outdated');
    rig.clock.moveTo(START + 2 * MINUTE);
    await until('it is silent', () => rig.announced().length === 1);
    expect(rig.alarms.active()).toMatchObject([{ id: climate.id, state: 'cleared', silent: true }]);
    expect(summary(await rig.acknowledge(climate.id))).toBe('acknowledged');
    await restart(rig);
    expect(rig.alarms.active()).toMatchObject([{ silent: true, acknowledged: true }]);
    expect(await rig.say(climate, 1, undefined)).toBe('outdated');
    expect(await rig.say(climate, 2 * MINUTE, undefined)).toBe('returned');
    expect(rig.alarms.active()).toEqual([]);
  });

  it('counts from the start for those who were heard of before', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    rig.intervals.set(climate.topic, MINUTE);
    await rig.say(climate, 0, undefined);
    rig.clock.moveTo(START + MINUTE);
    await restart(rig);
    rig.clock.moveTo(START + 2.5 * MINUTE - 1);
    expect(rig.announced()).toEqual([]);
    rig.clock.moveTo(START + 2.5 * MINUTE);
    await until('it is silent', () => rig.announced().length === 1);
  });

  it('follows the registry', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    await rig.say(smoke, 0, false);
    rig.intervals.set(smoke.topic, MINUTE);
    rig.alarms.registryChanged();
    rig.clock.moveTo(START + MINUTE);
    rig.intervals.set(smoke.topic, 2 * MINUTE);
    rig.alarms.registryChanged();
    rig.clock.moveTo(START + 3.9 * MINUTE);
    rig.alarms.registryChanged();
    expect(rig.announced()).toEqual([]);
    rig.clock.moveTo(START + 4 * MINUTE);
    await until('it is silent', () => rig.announced().length === 1);
    await rig.say(smoke, 1, false);
    rig.intervals.clear();
    rig.alarms.registryChanged();
    rig.clock.moveTo(START + 60 * MINUTE);
    expect(rig.announced()).toEqual(['silent']);
    expect(rig.clock.timers()).toBe(0);
  });
});

describe('after a crash', () => {
  it('announces again what may not have left, and only that', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    await rig.say(smoke, 0, true);
    await crash(rig);
    expect(rig.announced()).toEqual(['raised again']);
    expect(rig.changes()[0]).toEqual(rig.changes()[1]);
    rig.clock.moveTo(START + 1000);
    await rig.say(other, 1, true);
    rig.clock.moveTo(START + 1100);
    await rig.say(other, 2, false);
    await crash(rig);
    expect(rig.announced()).toEqual(['raised again', 'raised again', 'cleared again']);
    rig.clock.moveTo(START + 2100);
    await crash(rig);
    expect(rig.announced()).toHaveLength(3);
  });

  it('gives each change of an alarm a time of its own', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    for (let time = 0; time < 20; time++) await rig.say(smoke, time, time % 2 === 0);
    const times = rig.changes().map(({ time }) => BigInt(time));
    expect(new Set(times).size).toBe(20);
    expect([...times].sort((one, two) => (one < two ? -1 : 1))).toEqual(times);
  });
});

describe('while the store fails', () => {
  it('still tells of alarms, with the error, and stores them later', async () => {
    const failing = failingBatches();
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    await rig.say(other, 0, true);
    failing.failAll(true);
    expect(await rig.say(smoke, 0, true)).toBe('raised');
    expect(await rig.say(smoke, 1, true)).toBe('repeated');
    expect(rig.delivered.map(({ error }) => error)).toEqual([undefined, 'store-unavailable', 'store-unavailable']);
    failing.failAll(false);
    await until('the store works again', async () => {
      await rig.say(other, 1, true);
      return rig.delivered.at(-1)?.error === undefined;
    });
    await until('it is stored', async () => {
      await crash(rig);
      return rig.alarms.get(smoke.id)?.count === 2;
    });
    expect(rig.alarms.get(smoke.id)).toMatchObject({ state: 'raised' });
  });
});

it('delivers in the order of the messages, and everything before it is closed', async () => {
  const rig = await AlarmRig.open(tempDirectory('alarms'));
  const order: string[] = [];
  const report = (source: Source) =>
    rig.alarms.report(source, { time: signed(0), active: true }, (outcome) => order.push(summary(outcome)));
  report(smoke);
  report(smoke);
  report(other);
  rig.alarms.acknowledge(smoke.id, {}, (outcome) => order.push(summary(outcome)));
  rig.alarms.acknowledge('nothing', {}, (outcome) => order.push(summary(outcome)));
  expect(order).toEqual([]);
  await rig.alarms.close();
  expect(order).toEqual(['raised', 'repeated', 'raised', 'acknowledged', 'unknown-alarm']);
  expect(rig.clock.timers()).toBe(0);
});
