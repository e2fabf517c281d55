import { describe, expect, it } from 'vitest';
import { PackError } from '../../../nodes/lib/errors';
import type { Debt } from '../../../nodes/lib/alarm/debt';
import { Leaving } from '../../../nodes/lib/alarm/leaving';
import { FakeClock } from './fake-clock';
import { ON_ITS_WAY, sourceOf, START } from './support';

const full = new PackError('store-unavailable', 'the disk is full');

function debt(time: string): Debt {
  return { source: sourceOf('d1'), change: { time } } as Debt;
}

/** A `Leaving` whose turns a test takes, with what it let go of and what it told again. */
function leaving() {
  const clock = new FakeClock(START);
  const settled: string[][] = [];
  const again: string[][] = [];
  const times = (debts: readonly Debt[]): string[] => debts.map(({ change }) => change.time);
  const changes = new Leaving({
    clock,
    isHeld: () => false,
    settle: (arrived) => {
      settled.push(times(arrived));
      return Promise.resolve(undefined);
    },
    tellAgain: (debts) => again.push(times(debts)),
    isInDoubt: false,
    wakeBy: () => undefined,
  });
  const turn = async (): Promise<void> => {
    clock.moveTo(clock.wall() + ON_ITS_WAY);
    changes.turn(clock.steady());
    await new Promise(setImmediate);
  };
  return { changes, turn, settled, again };
}

describe('Leaving', () => {
  it('lets go of a change after two turns', async () => {
    const { changes, turn, settled, again } = leaving();
    changes.add([debt('1')]);
    await turn();
    await turn();
    expect(settled).toEqual([[], ['1']]);
    expect(again).toEqual([]);
  });

  it('tells a change again that could not be stored, and all that left with it, once', async () => {
    const { changes, turn, settled, again } = leaving();
    changes.add([debt('1')]);
    changes.add([debt('2')], full);
    await turn();
    expect(again).toEqual([['1', '2']]);
    expect(settled.flat()).toEqual([]);
    await turn();
    expect(again).toHaveLength(1);
  });
});
