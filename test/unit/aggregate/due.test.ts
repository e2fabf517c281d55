import { expect, it } from 'vitest';
import { dueStretches, dueWindows, groupsOf, isKept, oldestMarked } from '../../../nodes/lib/aggregate/due';
import { markOfAll, newStretch, RuleMarks, type Mark } from '../../../nodes/lib/aggregate/mark';
import { Share } from '../../../nodes/lib/aggregate/share';
import { statementOf } from '../../../nodes/lib/aggregate/statement';

const MINUTE = 60_000;
const RULE = { id: 'r', bucket: 'raw', measurement: 'm', every: MINUTE, into: 'x' };
const NOW = 100 * MINUTE;

function marksOf(...windows: Partial<Mark>[]): RuleMarks {
  const marks = new RuleMarks('a', RULE);
  for (const window of windows) {
    const mark = { ...markOfAll(window.start ?? 0, { event: 0, sensor: 0 }, 0), ...window };
    marks.add(mark);
  }
  return marks;
}

function startsDue(marks: RuleMarks, more: Partial<Parameters<typeof dueWindows>[1]> = {}): number[] {
  const options = {
    now: NOW,
    steady: NOW,
    grace: 30_000,
    retention: 1000 * MINUTE,
    left: { event: 5, sensor: 5 },
    overwrites: true,
    ...more,
  };
  return dueWindows(marks, options).due.map(({ start }) => start / MINUTE);
}

it('waits for the end of the window and the grace', () => {
  const marks = marksOf(
    { start: 97 * MINUTE },
    { start: 98 * MINUTE },
    { start: 99 * MINUTE },
    { start: 100 * MINUTE },
  );
  expect(startsDue(marks)).toEqual([97, 98]);
  expect(startsDue(marks, { now: NOW + 29_999 })).toEqual([97, 98]);
  expect(startsDue(marks, { now: NOW + 30_000 })).toEqual([97, 98, 99]);
});

it('waits until the chunks of both priorities have left the queue', () => {
  const marks = marksOf(
    { start: 0, before: { event: 5, sensor: 5 } },
    { start: MINUTE, before: { event: 6, sensor: 0 } },
    { start: 2 * MINUTE, before: { event: 0, sensor: 6 } },
  );
  expect(startsDue(marks)).toEqual([0]);
});

it('waits while late points keep coming, but not for ever', () => {
  const late = { lastAt: NOW - 1000 };
  const marks = marksOf(
    { start: 0, ...late, firstAt: NOW - 2000 },
    { start: MINUTE, ...late, firstAt: NOW - 70_000 },
    { start: 2 * MINUTE, lastAt: NOW - 5000, firstAt: NOW - 5000 },
  );
  expect(startsDue(marks)).toEqual([1, 2]);
});

it('waits by a clock that nobody sets', () => {
  const marks = marksOf({ start: 0, firstAt: 10_000, lastAt: 10_000 });
  expect(startsDue(marks, { steady: 14_999 })).toEqual([]);
  expect(startsDue(marks, { steady: 15_000 })).toEqual([0]);
});

it('takes the oldest stretch to which no points come any more', () => {
  const marks = marksOf();
  const stretch = (start: number, lastAt: number): void => {
    marks.stretches.set(start, { ...newStretch(start, lastAt), from: start, to: start + MINUTE });
  };
  stretch(0, NOW - 1000);
  stretch(50 * MINUTE, 0);
  stretch(10 * MINUTE, 0);
  stretch(99 * MINUTE, 0);
  const options = {
    now: NOW,
    steady: NOW,
    grace: 30_000,
    retention: 1000 * MINUTE,
    left: { event: 0, sensor: 0 },
    overwrites: true,
  };
  expect(dueStretches(marks, options).due?.start).toBe(10 * MINUTE);
  expect(oldestMarked(marks, options)).toBe(0);
  marks.stretches.clear();
  stretch(99 * MINUTE, 0);
  expect(dueStretches(marks, options).due).toBeUndefined();
  expect(oldestMarked(marks, options)).toBeUndefined();
});

it('leaves windows alone whose points may not all be there any more, and gives them up after an hour', () => {
  const marks = marksOf({ start: 0 }, { start: MINUTE }, { start: 2 * MINUTE });
  marks.stretches.set(0, { ...newStretch(0, 0), from: -3 * MINUTE, to: MINUTE });
  const options = {
    now: NOW,
    steady: NOW,
    grace: 0,
    retention: 100 * MINUTE,
    left: { event: 0, sensor: 0 },
    overwrites: true,
  };
  const look = (more: Partial<typeof options>): unknown[] => {
    const { due, expired, whole, old } = dueWindows(marks, { ...options, ...more });
    const stretches = dueStretches(marks, { ...options, ...more });
    const starts = [due, expired].map((found) => found.map(({ start }) => start / MINUTE));
    return [...starts, whole, old, stretches.due?.start, stretches.expired.length, stretches.old];
  };
  expect(look({})).toEqual([[1, 2], [], 2, 1, undefined, 0, 4]);
  expect(look({ steady: NOW + 59 * MINUTE })).toEqual([[1, 2], [], 2, 1, undefined, 0, 4]);
  expect(look({ steady: NOW + 60 * MINUTE })).toEqual([[1, 2], [0], 2, 0, undefined, 1, 0]);
  // A clock that was ahead, and has been set right.
  expect(look({ now: NOW + 1000 * MINUTE, steady: NOW + 61 * MINUTE })).toEqual([[], [0], 0, 2, undefined, 1, 0]);
  expect(look({ now: NOW - MINUTE, steady: NOW + 62 * MINUTE })).toEqual([[0, 1, 2], [], 3, 0, 0, 0, 0]);
  expect(look({ now: NOW + 1000 * MINUTE, steady: NOW + 63 * MINUTE })).toEqual([[], [], 0, 3, undefined, 0, 4]);
});

it('leaves a stretch alone until its time', () => {
  const marks = marksOf();
  marks.stretches.set(0, { ...newStretch(0, 0), from: 0, to: MINUTE, notBefore: NOW + 1 });
  const options = {
    now: NOW,
    steady: NOW,
    grace: 0,
    retention: 1000 * MINUTE,
    left: { event: 0, sensor: 0 },
    overwrites: true,
  };
  expect(dueStretches(marks, options).due).toBeUndefined();
  expect(dueStretches(marks, { ...options, steady: NOW + 1 }).due?.start).toBe(0);
});

it('knows whether a window can be computed before its points go', () => {
  expect(isKept({ every: 5 * MINUTE, retention: 60 * MINUTE }, 53 * MINUTE)).toBe(true);
  expect(isKept({ every: 5 * MINUTE, retention: 60 * MINUTE }, 54 * MINUTE)).toBe(false);
});

it('puts windows together that follow each other and are about the same series', () => {
  const some = (...names: string[]): Mark['series'] => new Set(names);
  const many = some(...Array.from({ length: 50 }, (_, index) => `s${index}`));
  const marks = marksOf(
    ...[some('a'), some('b'), undefined, undefined, undefined].map((series, index) => ({
      start: index * MINUTE,
      series,
    })),
    ...[many, some('s1'), some('x')].map((series, index) => ({ start: (10 + index) * MINUTE, series })),
  );
  const groups = groupsOf([...marks.windows.values()], MINUTE, () => 2);
  expect(groups.map((group) => group.map(({ start }) => start / MINUTE))).toEqual([
    [0, 1],
    [2, 3],
    [4],
    [10, 11],
    [12],
  ]);
});

it('reads the fields of a rule, of all series or some, whatever they are called', () => {
  const rule = {
    ...RULE,
    measurement: 'a "b"',
    retention: 1,
    fields: new Map([
      ['f', []],
      ['g\\', []],
    ]),
  };
  const all = String.raw`SELECT "f", "g\\" FROM "a \"b\"" WHERE time >= 60000000000 AND time < 120000000000`;
  expect(statementOf(rule, MINUTE, 2 * MINUTE, undefined)).toBe(`${all} GROUP BY *`);
  expect(statementOf(rule, MINUTE, 2 * MINUTE, new Set(['m,d=a\rb', 'm,d=c']))).toBe(`${all} GROUP BY *`);
  expect(statementOf(rule, MINUTE, 2 * MINUTE, new Set(["m,d=a\\ b,e=it's", 'm,d=c']))).toBe(
    String.raw`${all} AND (("d"::tag = 'a b' AND "e"::tag = 'it\'s') OR ("d"::tag = 'c')) GROUP BY *`,
  );
  // Without tags it cannot be told apart from the others.
  expect(statementOf(rule, MINUTE, 2 * MINUTE, new Set(['m,d=a', 'm']))).toBe(`${all} GROUP BY *`);
});

it('takes a part of the time while many points come or wait, and a larger one when it falls behind', () => {
  let now = 0;
  const share = new Share(() => now);
  const busy = { arrived: 0, waiting: 10_000 };
  const idle = { arrived: 0, waiting: 0 };
  expect(share.rest(busy)).toBe(0);
  now = 100;
  share.took(100, 0);
  expect(share.rest(busy)).toBe(1500);
  expect(share.rest(idle)).toBe(0);
  now = 1600;
  expect(share.rest(busy)).toBe(0);
  now = 1700;
  share.took(100, 3_600_000);
  expect(share.rest(busy)).toBe(200);
  now = 2000;
  share.took(100, 0);
  now = 3000;
  expect(share.rest({ arrived: 5000, waiting: 0 })).toBe(500);
});
