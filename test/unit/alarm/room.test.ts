import { describe, expect, it } from 'vitest';
import { encodeRecord, newRecord } from '../../../nodes/lib/alarm/record';
import { MOST_TOPIC } from '../../../nodes/lib/alarm/room';
import { alarmKey } from '../../../nodes/lib/store/keys';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { closeAll, openStore } from '../store/support';
import { AlarmRig, sourceOf, START } from './support';

/** Enough for some tens of alarms with short names. */
const ROOM = { node: 100_000, entry: 100_000 };
const MINUTE = 60_000;

function rigIn(directory: string, room = ROOM): Promise<AlarmRig> {
  return AlarmRig.open(directory, { room });
}

async function restart(rig: AlarmRig): Promise<void> {
  await rig.alarms.close();
  await closeAll();
  await rig.start();
}

describe('when there is no more room', () => {
  it('what was cleared longest ago goes, and what is raised stays, over restarts too', async () => {
    const rig = await rigIn(tempDirectory('room'));
    await rig.say(sourceOf('raised'), 0, true);
    for (let index = 0; index < 500; index++) {
      rig.clock.moveTo(START + index);
      await rig.say(sourceOf(`d${index}`), index, false);
    }
    const known = (index: number) => rig.alarms.get(`alarms/hall/d${index}`) !== undefined;
    expect(known(499)).toBe(true);
    expect(known(0)).toBe(false);
    expect(rig.alarms.active()).toHaveLength(1);
    expect(rig.alarms.faults.evicted).toBeGreaterThan(400);
    await restart(rig);
    expect(known(499)).toBe(true);
    expect(known(0)).toBe(false);
    expect(rig.alarms.active()).toHaveLength(1);
    expect(rig.alarms.faults.evicted).toBe(0);
  });

  it('as all is raised, a new alarm is told with each message, and not remembered', async () => {
    const rig = await rigIn(tempDirectory('room'));
    for (let index = 0; index < 200; index++) await rig.say(sourceOf(`d${index}`), index, true);
    const kept = rig.alarms.totals().raised;
    expect(kept).toBeGreaterThan(20);
    expect(kept).toBeLessThan(60);
    expect(rig.changes().filter(({ event }) => event === 'raised')).toHaveLength(200);
    expect(rig.alarms.faults).toMatchObject({ untracked: 200 - kept, evicted: 0 });
    expect(await rig.say(sourceOf('d199'), 300, true)).toBe('raised');
    expect(await rig.say(sourceOf('d199'), 301, false)).toBe('unwatched');
    expect(await rig.say(sourceOf('d0'), 301, false)).toBe('cleared');
    expect(await rig.say(sourceOf('d199'), 302, true)).toBe('raised');
    expect(await rig.say(sourceOf('d199'), 303, true)).toBe('repeated');
  });

  it('one entry of the registry leaves room to the others', async () => {
    const rig = await rigIn(tempDirectory('room'), { node: 100_000, entry: 50_000 });
    for (let index = 0; index < 100; index++) await rig.say(sourceOf(`d${index}`), index, true);
    expect(rig.alarms.faults.untracked).toBeGreaterThan(0);
    rig.rules = { entry: 'another' };
    await rig.say(sourceOf('another'), 0, true);
    expect(rig.alarms.get('alarms/hall/another')?.state).toBe('raised');
  });

  it('sensors that report are not given up for others; those that are silent are, and that is told', async () => {
    const rig = await rigIn(tempDirectory('room'));
    const sensor = (index: number) => sourceOf(`d${index}`, 'climate');
    for (let index = 0; index < 200; index++) {
      rig.intervals.set(sensor(index).topic, MINUTE);
      await rig.say(sensor(index), index, undefined);
    }
    const kept = 200 - rig.alarms.faults.untracked;
    expect(kept).toBeGreaterThan(20);
    expect(rig.alarms.faults.evicted).toBe(0);
    rig.clock.moveTo(START + 2 * MINUTE);
    await until('all are silent', () => rig.announced().length === kept);
    await rig.say(sensor(199), 2 * MINUTE, undefined);
    await until('one is forgotten', () => rig.announced().includes('forgotten'));
    expect(rig.announcements().at(-1)?.change).toMatchObject({ by: 'no-room', alarm: { id: sensor(0).topic } });
    expect(rig.alarms.get(sensor(199).topic)).toBeDefined();
  });
});

it('a start takes up what there is room for, whatever an old release has stored', async () => {
  const directory = tempDirectory('room');
  const store = await openStore(directory);
  const record = (name: string, raised: boolean) => ({
    ...newRecord({ ...sourceOf('d1'), topic: name, tags: { device: name } }, START),
    newest: '1800000000000000000',
    active: raised,
    state: raised ? ('raised' as const) : ('cleared' as const),
  });
  const put = (name: string, raised: boolean) =>
    ({ type: 'put', key: alarmKey('node', name), value: encodeRecord(record(name, raised)) }) as const;
  const long = Array.from({ length: 200 }, (_, index) => put(`${index} ${'x'.repeat(50_000)}`, true));
  const many = Array.from({ length: 300 }, (_, index) => put(`alarms/hall/d${index}`, false));
  await store.batch([...long, ...many, put('alarms/hall/raised', true)], { sync: true });
  const rig = await rigIn(directory);
  expect(rig.alarms.active()).toMatchObject([{ id: 'alarms/hall/raised' }]);
  const evicted = rig.alarms.faults.evicted;
  expect(evicted).toBeGreaterThan(400);
  expect(rig.notices).toContainEqual({ name: 'evicted', count: evicted });
  await rig.written();
  let bytes = 0;
  for await (const page of store.pages({ gte: 'alarm/', lt: 'alarm0' })) {
    for (const [key, value] of page) bytes += key.length + value.length;
  }
  expect(bytes).toBeLessThan(100_000);
  await restart(rig);
  expect(rig.alarms.faults.evicted).toBe(0);
  expect(MOST_TOPIC).toBeLessThan(1000);
});
