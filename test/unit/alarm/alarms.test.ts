import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Source } from '../../../nodes/lib/alarm/alarm';
import { alarmKey } from '../../../nodes/lib/store/keys';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { failingBatches } from '../store/level-batches';
import { closeAll, openStore } from '../store/support';
import { AlarmRig, ON_ITS_WAY, signed, sourceOf, START, summary } from './support';

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
    expect(rig.alarms.get(smoke.topic)).toEqual({
      id: 'alarms/hall/d1',
      state: 'raised',
      acknowledged: false,
      silent: false,
      since: START + 10,
      changed: START + 50,
      severity: 'high',
      count: 1,
      tags: { site: 'hall', device: 'd1', alarm: 'smoke' },
    });
    expect(await rig.say(smoke, 20, true)).toBe('repeated');
    expect(rig.alarms.get(smoke.topic)).toMatchObject({ since: START + 10, count: 2, severity: 'high' });
    const acknowledged = await rig.acknowledge(smoke.topic, 'Ada');
    expect(acknowledged.changes).toMatchObject([{ event: 'acknowledged', by: 'Ada', alarm: { acknowledged: true } }]);
    expect(summary(await rig.acknowledge(smoke.topic))).toBe('not-active');
    expect(await rig.say(smoke, 30, false)).toBe('cleared');
    expect(rig.alarms.active()).toEqual([]);
    expect(summary(await rig.acknowledge(smoke.topic))).toBe('not-active');
    expect(await rig.say(smoke, 40, true)).toBe('raised');
    expect(rig.alarms.active()).toMatchObject([{ acknowledged: false, since: START + 40 }]);
    expect(rig.alarms.active()[0]).not.toHaveProperty('severity');
    expect(summary(await rig.acknowledge('nothing'))).toBe('unknown-alarm');
  });

  it('is raised, of two messages of one signed time, by the one that says so', async () => {
    // A device whose clock knows only seconds.
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    expect(await rig.say(smoke, 0, false)).toBe('repeated');
    expect(await rig.say(smoke, 0, true)).toBe('raised');
    expect(await rig.say(smoke, 0, false)).toBe('outdated');
    expect(await rig.say(smoke, 0, true)).toBe('repeated');
    await restart(rig);
    expect(await rig.say(smoke, 0, false)).toBe('outdated');
    expect(await rig.say(smoke, 1000, false)).toBe('cleared');
    expect(await rig.say(smoke, 0, true)).toBe('outdated');
    expect(await rig.say(smoke, 1000, true)).toBe('raised');
    await rig.forget(smoke.topic);
    expect(await rig.say(smoke, 1000, true)).toBe('outdated');
  });

  it('moves forward in signed time only', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    expect(await rig.say(smoke, 10, true)).toBe('raised');
    expect(await rig.say(smoke, 10, true)).toBe('repeated');
    expect(await rig.say(smoke, 10, false)).toBe('outdated');
    expect(await rig.say(smoke, 9, false)).toBe('outdated');
    expect(await rig.say(smoke, 9, true)).toBe('outdated');
    expect(rig.alarms.get(smoke.topic)).toMatchObject({ state: 'raised', count: 1 });
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
    expect(summary(await rig.acknowledge(smoke.topic, 'Ada', START + 10))).toBe('not-active');
    expect(summary(await rig.acknowledge(smoke.topic, 'Ada', START + 30))).toBe('acknowledged');
  });

  it('is forgotten with its device, until that says something new', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    rig.intervals.set(smoke.topic, MINUTE);
    await rig.say(smoke, 10, true);
    expect((await rig.forget(smoke.topic, 'Ada')).changes).toMatchObject([
      { event: 'forgotten', by: 'Ada', alarm: { state: 'cleared', silent: false } },
    ]);
    expect(summary(await rig.forget(smoke.topic))).toBe('not-active');
    await restart(rig);
    rig.clock.moveTo(START + 10 * MINUTE);
    rig.alarms.registryChanged();
    expect(rig.alarms.active()).toEqual([]);
    expect(await rig.say(smoke, 10, true)).toBe('outdated');
    expect(await rig.say(smoke, 11, true)).toBe('raised');
    rig.clock.moveTo(START + 12 * MINUTE);
    await until('it is silent', () => rig.announced().includes('silent'));
  });
});

describe('topics of one series', () => {
  // One wildcard that is no tag, and a measurement of two topics.
  const one: Source = {
    topic: 'alarms/hall/d1/smoke',
    bucket: 'events',
    measurement: 'alarms',
    tags: { site: 'hall' },
  };
  const two: Source = { ...one, topic: 'alarms/hall/d2/smoke' };

  it('are alarms of their own', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    expect(await rig.say(one, 0, true)).toBe('raised');
    expect(await rig.say(two, 1, false)).toBe('repeated');
    expect(await rig.say(two, 0, false)).toBe('outdated');
    expect(rig.alarms.active()).toMatchObject([{ id: one.topic, state: 'raised' }]);
    await restart(rig);
    expect(summary(await rig.acknowledge(two.topic))).toBe('not-active');
    expect(summary(await rig.acknowledge(one.topic))).toBe('acknowledged');
  });

  it('are missed each by itself', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    for (const { topic } of [one, two]) rig.intervals.set(topic, MINUTE);
    expect(await rig.say(one, 0, undefined)).toBe('alive');
    expect(await rig.say(two, 0, undefined)).toBe('alive');
    rig.clock.moveTo(START + MINUTE);
    await rig.say(one, MINUTE, undefined);
    rig.clock.moveTo(START + 2 * MINUTE);
    await rig.forget('nobody');
    expect(rig.announcements().map(({ source }) => source.topic)).toEqual([two.topic]);
  });

  it('change at times of their own, so that the log has a row for each', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    await rig.say(one, 0, true);
    await rig.say(two, 0, true);
    await restart(rig);
    await rig.say(one, 1, false);
    await rig.say(two, 1, false);
    const times = rig.changes().map(({ event, time }) => `${event} ${time}`);
    expect(new Set(times).size).toBe(4);
  });
});

it('of two nodes change at times of their own', async () => {
  const directory = tempDirectory('alarms');
  const one = await AlarmRig.open(directory);
  const two = await AlarmRig.open(directory, { node: 'other', delays: { on: 5000, off: 0 } });
  await one.say(smoke, 0, true);
  expect(await two.say(smoke, 0, true)).toBe('pending');
  expect(await one.say(smoke, 5000, false)).toBe('cleared');
  expect(await two.say(smoke, 5000, false)).toBe('raised, cleared');
  const times = [...one.changes(), ...two.changes()].map(({ time }) => time);
  expect(new Set(times).size).toBe(4);
});

it('writes changes where the registry has the topic now, after a restart too', async () => {
  const rig = await AlarmRig.open(tempDirectory('alarms'));
  rig.intervals.set(smoke.topic, MINUTE);
  const moved: Source = { ...smoke, bucket: 'other', tags: { room: 'hall' } };
  await rig.say(smoke, 0, undefined);
  expect(await rig.say(moved, 0, undefined)).toBe('outdated');
  await rig.say(moved, 1, undefined);
  await restart(rig);
  rig.clock.moveTo(START + 10 * MINUTE);
  await until('it is silent', () => rig.announced().includes('silent'));
  expect(rig.announcements()[0]).toMatchObject({ source: moved, change: { alarm: { tags: moved.tags } } });
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
    expect(rig.announcements().map(({ source }) => source.topic)).not.toContain(other.topic);
    rig.clock.moveTo(START + 10_000);
    await until('it is raised', () => rig.announcements().some(({ source }) => source.topic === other.topic));
  });
});

it('that has cleared for a while is not cleared by a time in which nobody listened', async () => {
  const rig = await AlarmRig.open(tempDirectory('alarms'), { delays: { on: 0, off: 10 * MINUTE } });
  await rig.say(smoke, 0, true);
  rig.clock.moveTo(START + MINUTE);
  expect(await rig.say(smoke, MINUTE, false)).toBe('pending');
  await rig.alarms.close();
  await closeAll();
  rig.clock.moveTo(START + 60 * MINUTE);
  await rig.start();
  rig.clock.moveTo(START + 61 * MINUTE);
  // What the broker has kept meanwhile.
  expect(await rig.say(smoke, 2 * MINUTE, true)).toBe('repeated');
  expect(rig.announced()).not.toContain('cleared');
  expect(await rig.say(smoke, 61 * MINUTE, false)).toBe('pending');
  await restart(rig);
  rig.clock.moveTo(START + 71 * MINUTE);
  await until('it is cleared', () => rig.announced().includes('cleared'));
});

describe('silence', () => {
  const climate = sourceOf('d1', 'climate');

  it('is noticed half an interval after a message was due, and its end too', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    rig.intervals.set(smoke.topic, MINUTE);
    await rig.say(smoke, 0, true);
    await rig.acknowledge(smoke.topic);
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
    expect(rig.alarms.get(smoke.topic)?.silent).toBe(true);
    expect(await rig.say(smoke, 19 * MINUTE, false)).toBe('returned, cleared');
    rig.clock.moveTo(START + 21.5 * MINUTE);
    await until('it is silent again', () => rig.announced().length === 2);
  });

  it('of a sensor, whose readings are no alarms', async () => {
    const rig = await AlarmRig.open(tempDirectory('alarms'));
    expect(await rig.say(climate, 0, undefined)).toBe('unwatched');
    expect(rig.alarms.get(climate.topic)).toBeUndefined();
    rig.intervals.set(climate.topic, MINUTE);
    expect(await rig.say(climate, 1, undefined)).toBe('alive');
    expect(await rig.say(climate, 1, undefined)).toBe('outdated');
    rig.clock.moveTo(START + 2 * MINUTE);
    await until('it is silent', () => rig.announced().length === 1);
    expect(rig.alarms.active()).toMatchObject([{ id: climate.topic, state: 'cleared', silent: true }]);
    expect(summary(await rig.acknowledge(climate.topic))).toBe('acknowledged');
    await restart(rig);
    expect(rig.alarms.active()).toMatchObject([{ silent: true, acknowledged: true }]);
    expect(await rig.say(climate, 1, undefined)).toBe('outdated');
    expect(await rig.say(climate, 2 * MINUTE, undefined)).toBe('returned');
    expect(rig.alarms.active()).toEqual([]);
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
    await rig.pass(ON_ITS_WAY);
    await rig.say(other, 1, true);
    await rig.say(other, 2, false);
    await rig.pass(ON_ITS_WAY);
    await crash(rig);
    expect(rig.announced()).toEqual(['raised again', 'raised again', 'cleared again']);
    await rig.pass(ON_ITS_WAY);
    await rig.pass(ON_ITS_WAY);
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

it('puts everything into the store again after a repair', async () => {
  // A copy of the damaged store is kept beside it.
  const directory = join(tempDirectory('alarms'), 'store');
  const rig = await AlarmRig.open(directory);
  await rig.say(smoke, 0, true);
  const store = await openStore(directory);
  await store.batch([{ type: 'del', key: alarmKey('node', smoke.topic) }], { sync: true });
  const { generation } = store;
  store.distrust('a block has a wrong checksum');
  await until('it is repaired', () => store.generation > generation);
  await restart(rig);
  expect(rig.alarms.active()).toMatchObject([{ id: smoke.topic, state: 'raised' }]);
  expect(await rig.say(smoke, 0, true)).toBe('repeated');
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
      return rig.alarms.get(smoke.topic)?.count === 2;
    });
    expect(rig.alarms.get(smoke.topic)).toMatchObject({ state: 'raised' });
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
  rig.alarms.acknowledge(smoke.topic, {}, (outcome) => order.push(summary(outcome)));
  rig.alarms.acknowledge('nothing', {}, (outcome) => order.push(summary(outcome)));
  expect(order).toEqual([]);
  await rig.alarms.close();
  expect(order).toEqual(['raised', 'repeated', 'raised', 'acknowledged', 'unknown-alarm']);
  expect(rig.clock.timers()).toBe(0);
});
