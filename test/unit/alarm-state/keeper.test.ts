import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AlarmKeeper, type KeeperOptions } from '../../../nodes/alarm-state/keeper';
import type { Announcement } from '../../../nodes/lib/alarm/delivery';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { FakeClock } from '../alarm/fake-clock';
import { ON_ITS_WAY, signed, sourceOf, START } from '../alarm/support';

function keeperIn(
  directory: string,
  announced: Announcement[] = [],
  problems: (string | undefined)[] = [],
  more: Partial<KeeperOptions> = {},
) {
  const options: KeeperOptions = {
    directory,
    node: 'node',
    delays: { on: 0, off: 0 },
    hasRegistry: () => true,
    rulesOf: () => undefined,
    isHeld: () => false,
    clock: new FakeClock(START),
    announce: (announcement) => announced.push(announcement),
    changed: (problem) => problems.push(problem?.code),
    damaged: () => undefined,
    putAside: () => undefined,
    ...more,
  };
  return new AlarmKeeper(options);
}

it('lets wait what comes before the store is open, and keeps the order', async () => {
  const keeper = keeperIn(tempDirectory('keeper'));
  const order: string[] = [];
  for (const name of ['first', 'second']) keeper.use((alarms) => order.push(`${name} ${alarms === keeper.alarms}`));
  expect(order).toEqual([]);
  keeper.open();
  await until('both are handled', () => order.length === 2);
  keeper.use((alarms) => order.push(`third ${alarms === keeper.alarms}`));
  expect(order).toEqual(['first true', 'second true', 'third true']);
  await keeper.close();
});

it('lets wait no more than a bound', async () => {
  const keeper = keeperIn(tempDirectory('keeper'));
  let used = 0;
  const use = () => keeper.use(() => (used += 1));
  for (let message = 0; message < 20_000; message++) use();
  expect(use).toThrow(expect.objectContaining({ code: 'store-unavailable' }));
  keeper.open();
  await until('all that wait are handled', () => used === 20_000);
  use();
  expect(used).toBe(20_001);
  await keeper.close();
});

describe('while the store cannot be opened', () => {
  const said = (time: number, active: boolean) => ({ time: signed(time), active });

  function broken() {
    const directory = join(tempDirectory('keeper'), 'store');
    writeFileSync(directory, 'no folder');
    const announced: Announcement[] = [];
    const problems: (string | undefined)[] = [];
    const clock = new FakeClock(START);
    const keeper = keeperIn(directory, announced, problems, { clock, delays: { on: 0, off: 1000 } });
    const told: string[] = [];
    const report = (time: number, active: boolean) =>
      keeper.use((alarms, problem) => {
        if (problem) keeper.later(sourceOf('d1'), said(time, active));
        alarms.report(sourceOf('d1'), said(time, active), ({ changes }, error) =>
          told.push(`${changes.map(({ event }) => event).join()} ${error?.code}`),
        );
      });
    return { directory, announced, problems, clock, keeper, told, report };
  }

  it('says why, once', async () => {
    const { directory, keeper, problems } = broken();
    const codes: (string | undefined)[] = [];
    keeper.use((_alarms, problem) => codes.push(problem?.code));
    keeper.open();
    await until('it has failed', () => codes.length === 1);
    keeper.use((_alarms, problem) => codes.push(problem?.code));
    expect(codes).toEqual(['store-unavailable', 'store-unavailable']);
    expect(problems).toEqual(['store-unavailable']);
    expect(keeper.problem).toContain(directory);
    expect(keeper.alarms).toBeUndefined();
    await keeper.close();
  });

  it('an alarm is told all the same, and taken in when it can be', async () => {
    const { directory, announced, clock, keeper, told, report } = broken();
    report(0, true);
    keeper.open();
    await until('it is told', () => told.length === 1);
    report(1, false);
    await until('that is told too', () => told.length === 2);
    expect(told).toEqual(['raised store-unavailable', ' store-unavailable']);
    clock.moveTo(START + 1000);
    await until('it is cleared', () => announced.length === 1);
    expect(announced).toMatchObject([{ again: true, change: { event: 'cleared' } }]);
    report(2, true);
    await until('it is raised again', () => told.length === 3);

    rmSync(directory);
    keeper.open();
    await until('the store is open', () => keeper.alarms !== undefined);
    expect(keeper.problem).toBeUndefined();
    await until('it is taken in', () => announced.length === 2);
    expect(announced[1]).toMatchObject({ again: true, change: { event: 'raised', alarm: { since: START } } });
    report(2, true);
    await until('it is known', () => told.length === 4);
    expect(told.slice(2)).toEqual(['raised store-unavailable', ' undefined']);
    expect(keeper.alarms?.totals()).toMatchObject({ raised: 1 });
    // Whoever stores it may not have opened the store yet.
    clock.moveTo(clock.wall() + ON_ITS_WAY);
    await until('it is told again', () => announced.length === 3);
    expect(announced[2]).toEqual(announced[1]);
    await keeper.close();
    expect(clock.timers()).toBe(0);
  });
});

it('opens with the first deploy, and announces what was held with each that follows', async () => {
  let held = false;
  const announced: Announcement[] = [];
  const clock = new FakeClock(START);
  const delays = { on: 1000, off: 0 };
  const keeper = keeperIn(tempDirectory('keeper'), announced, [], { clock, delays, isHeld: () => held });
  expect(keeper.alarms).toBeUndefined();
  keeper.resume();
  const alarms = await until('it is open', () => keeper.alarms);
  alarms?.report(sourceOf('d1'), { time: signed(0), active: true }, () => undefined);
  held = true;
  clock.moveTo(START + 1000);
  await until('it is raised', () => keeper.alarms?.totals().raised === 1);
  expect(announced).toEqual([]);
  held = false;
  keeper.resume();
  await until('it is announced', () => announced.length === 1);
  expect(announced).toMatchObject([{ again: false, change: { event: 'raised' } }]);
  await keeper.close();
});

it('delivers what was decided before it closes', async () => {
  const directory = tempDirectory('keeper');
  const keeper = keeperIn(directory);
  keeper.open();
  const events: string[] = [];
  keeper.use((alarms) =>
    alarms.report(sourceOf('d1'), { time: signed(0), active: true }, ({ changes }) =>
      events.push(...changes.map(({ event }) => event)),
    ),
  );
  await until('it is open', () => keeper.alarms !== undefined);
  await keeper.close();
  expect(events).toEqual(['raised']);

  const announced: Announcement[] = [];
  const next = keeperIn(directory, announced);
  next.open();
  await until('it is announced again', () => announced.length === 1);
  expect(announced[0]).toMatchObject({ again: true, change: { event: 'raised' } });
  await next.close();
});
