import { expect, it } from 'vitest';
import { Deadlines } from '../../../nodes/lib/alarm/deadlines';
import { seededRandom } from '../../support/campaign';

it('gives back what is due, in the order in which it became so', () => {
  const deadlines = new Deadlines();
  expect(deadlines.next()).toBe(Infinity);
  deadlines.start('slow', 100, 0);
  deadlines.start('quick', 10, 20);
  deadlines.start('next', 10, 30);
  expect(deadlines.next()).toBe(30);
  expect(deadlines.take(29)).toEqual([]);
  expect(deadlines.take(100)).toEqual([
    { key: 'quick', at: 30 },
    { key: 'next', at: 40 },
    { key: 'slow', at: 100 },
  ]);
  expect(deadlines.next()).toBe(Infinity);
  expect(deadlines.lengthOf('slow')).toBeUndefined();
});

it('begins anew, with another length too', () => {
  const deadlines = new Deadlines();
  deadlines.start('a', 10, 0);
  deadlines.start('b', 10, 1);
  deadlines.start('a', 10, 5);
  expect(deadlines.take(11)).toEqual([{ key: 'b', at: 11 }]);
  deadlines.start('a', 50, 6);
  expect(deadlines.lengthOf('a')).toBe(50);
  expect(deadlines.take(55)).toEqual([]);
  deadlines.stop('a');
  deadlines.stop('nobody');
  expect(deadlines.take(1000)).toEqual([]);
});

it('agrees with a plain list, whatever is done to it', () => {
  const random = seededRandom();
  const deadlines = new Deadlines();
  const list = new Map<string, number>();
  for (let now = 0; now < 5000; now++) {
    const key = `k${Math.floor(random() * 30)}`;
    const length = 10 * (1 + Math.floor(random() * 4));
    const dice = random();
    if (dice < 0.6) {
      deadlines.start(key, length, now);
      list.set(key, now + length);
    } else if (dice < 0.7) {
      deadlines.stop(key);
      list.delete(key);
    } else {
      const due = [...list].filter(([, at]) => at <= now).sort(([, one], [, other]) => one - other);
      const taken = deadlines.take(now);
      expect(taken.map(({ at }) => at)).toEqual(due.map(([, at]) => at));
      expect(new Set(taken.map((one) => one.key))).toEqual(new Set(due.map(([one]) => one)));
      for (const [one] of due) list.delete(one);
    }
    expect(deadlines.next()).toBe(Math.min(...list.values(), Infinity));
  }
});
