import { describe, expect, it } from 'vitest';
import { FORGET_SILENT } from '../../../nodes/lib/alarm/endings';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { closeAll } from '../store/support';
import { AlarmRig, sourceOf, START } from './support';

const smoke = sourceOf('d1');
const climate = sourceOf('d1', 'climate');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

async function rigWith(clearAfter: number | undefined): Promise<AlarmRig> {
  const rig = await AlarmRig.open(tempDirectory('endings'));
  rig.rules = { clearAfter };
  return rig;
}

async function restart(rig: AlarmRig, away = 0, how: 'in order' | 'killed' = 'in order'): Promise<void> {
  if (how === 'in order') await rig.alarms.close();
  else rig.crash();
  await closeAll();
  rig.clock.moveTo(rig.clock.wall() + away);
  await rig.start();
}

describe('an alarm that nobody clears', () => {
  it('ends after its last reminder, and neither a copy nor a restart raises it again', async () => {
    const rig = await rigWith(10 * MINUTE);
    await rig.say(smoke, 0, true);
    rig.clock.moveTo(START + 9 * MINUTE);
    await rig.say(smoke, 9 * MINUTE, true);
    rig.clock.moveTo(START + 19 * MINUTE - 1);
    expect(rig.announced()).toEqual([]);
    rig.clock.moveTo(START + 19 * MINUTE);
    await until('it has ended', () => rig.announced().length === 1);
    expect(rig.announcements()[0]?.change).toMatchObject({ event: 'cleared', by: 'clear_after' });
    expect(rig.alarms.active()).toEqual([]);
    expect(await rig.say(smoke, 9 * MINUTE, true)).toBe('outdated');
    await restart(rig);
    expect(await rig.say(smoke, 9 * MINUTE, true)).toBe('outdated');
    expect(await rig.say(smoke, 20 * MINUTE, true)).toBe('raised');
  });

  it('stays without clear_after', async () => {
    const rig = await rigWith(undefined);
    await rig.say(smoke, 0, true);
    rig.clock.moveTo(START + 100 * DAY);
    expect(rig.announced()).toEqual([]);
    expect(rig.clock.timers()).toBe(0);
  });

  it.each([DAY, -DAY])('ends at its time, though the clock is set (%i ms on)', async (by) => {
    const rig = await rigWith(HOUR);
    await rig.say(smoke, 0, true);
    rig.clock.set(by);
    await rig.forget('nobody');
    await restart(rig);
    rig.clock.moveTo(START + by + HOUR - 1);
    await rig.forget('nobody');
    expect(rig.announced().filter((event) => event === 'cleared')).toEqual([]);
    rig.clock.moveTo(START + by + HOUR);
    await until('it has ended', () => rig.announced().includes('cleared'));
  });

  it.each([10 * DAY, 0])('keeps over restarts what is left of its time (%i ms away)', async (away) => {
    const rig = await rigWith(HOUR);
    await rig.say(smoke, 0, true);
    // Never longer at a stretch than its time.
    for (let part = 0; part < 3; part++) {
      rig.clock.moveTo(rig.clock.wall() + 15 * MINUTE);
      await restart(rig, away);
    }
    rig.clock.moveTo(rig.clock.wall() + 15 * MINUTE - 1);
    await rig.forget('nobody');
    expect(rig.announced().filter((event) => event === 'cleared')).toEqual([]);
    rig.clock.moveTo(rig.clock.wall() + 1);
    await until('it has ended', () => rig.announced().includes('cleared'));
  });

  it('ends in spite of kills', async () => {
    const rig = await rigWith(HOUR);
    await rig.say(smoke, 0, true);
    let kills = 0;
    while (!rig.announced().includes('cleared')) {
      rig.clock.moveTo(rig.clock.wall() + 10 * MINUTE);
      await rig.written();
      await restart(rig, 0, 'killed');
      kills += 1;
      expect(kills).toBeLessThan(10);
    }
    expect(kills).toBeGreaterThanOrEqual(6);
  });

  it('follows the registry', async () => {
    const rig = await rigWith(undefined);
    await rig.say(smoke, 0, true);
    rig.clock.moveTo(START + HOUR);
    rig.rules = { clearAfter: HOUR };
    rig.alarms.registryChanged();
    rig.clock.moveTo(START + 2 * HOUR);
    await until('it has ended', () => rig.announced().includes('cleared'));
  });
});

it('what is silent for long is forgotten, unless it is raised', async () => {
  const rig = await rigWith(undefined);
  for (const { topic } of [smoke, climate]) rig.intervals.set(topic, DAY);
  await rig.say(smoke, 0, true);
  await rig.say(climate, 0, undefined);
  rig.clock.moveTo(START + 1.5 * DAY);
  await until('both are silent', () => rig.announced().length === 2);
  await restart(rig);
  rig.delivered.splice(0);
  rig.clock.moveTo(START + 1.5 * DAY + FORGET_SILENT);
  await until('one is forgotten', () => rig.announced().length > 0);
  expect(rig.announcements().map(({ source, change }) => [source.topic, change.event, change.by])).toEqual([
    [climate.topic, 'forgotten', 'silence'],
  ]);
  expect(rig.alarms.active()).toMatchObject([{ id: smoke.topic, silent: true, state: 'raised' }]);
});

describe('severity', () => {
  const severities = ['low', 'high', 'critical'];

  it('that rises is a change, and takes the acknowledgement back; one that falls leaves it', async () => {
    const rig = await AlarmRig.open(tempDirectory('endings'));
    rig.rules = { severities };
    expect(await rig.say(smoke, 0, true, 'low')).toBe('raised');
    await rig.acknowledge(smoke.topic);
    expect(await rig.say(smoke, 10, true, 'critical')).toBe('escalated');
    expect(rig.alarms.active()).toMatchObject([{ severity: 'critical', acknowledged: false, since: START }]);
    await rig.acknowledge(smoke.topic);
    expect(await rig.say(smoke, 20, true, 'critical')).toBe('repeated');
    expect(await rig.say(smoke, 30, true)).toBe('repeated');
    expect(await rig.say(smoke, 40, true, 'high')).toBe('eased');
    expect(rig.alarms.active()).toMatchObject([{ severity: 'high', acknowledged: true }]);
    expect(await rig.say(smoke, 50, true, 'critical')).toBe('escalated');
    expect(await rig.say(smoke, 60, false, 'low')).toBe('cleared');
    expect(await rig.say(smoke, 70, true, 'low')).toBe('raised');
  });

  it('that rises within one second of a clock that knows only seconds is a change', async () => {
    const rig = await AlarmRig.open(tempDirectory('endings'));
    rig.rules = { severities };
    expect(await rig.say(smoke, 0, true, 'low')).toBe('raised');
    expect(await rig.say(smoke, 0, true, 'critical')).toBe('escalated');
    expect(await rig.say(smoke, 0, true, 'low')).toBe('repeated');
    expect(await rig.say(smoke, 0, true, 'critical')).toBe('repeated');
    expect(rig.alarms.active()).toMatchObject([{ severity: 'critical' }]);
  });

  it('that the registry does not order is no change', async () => {
    const rig = await AlarmRig.open(tempDirectory('endings'));
    await rig.say(smoke, 0, true, 'low');
    expect(await rig.say(smoke, 10, true, 'critical')).toBe('repeated');
  });
});

describe('a last will', () => {
  it('raises an alarm, though it was signed before the newest message, and once', async () => {
    const rig = await AlarmRig.open(tempDirectory('endings'));
    // Connected: the will is signed, and then what says that all is well.
    expect(await rig.say(smoke, 1, false)).toBe('repeated');
    rig.clock.moveTo(START + 5 * DAY);
    await restart(rig);
    expect(await rig.say(smoke, 0, true)).toBe('raised');
    expect(rig.alarms.active()).toMatchObject([{ since: START + 5 * DAY }]);
    // The next connection.
    expect(await rig.say(smoke, 5 * DAY + 10, false)).toBe('cleared');
    expect(await rig.say(smoke, 0, true)).toBe('outdated');
    expect(await rig.say(smoke, 5 * DAY + 5, true)).toBe('raised');
  });
});
