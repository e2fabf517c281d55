import { expect, it } from 'vitest';
import { markOfAll, type Mark } from '../../../nodes/lib/aggregate/mark';
import { RowEstimate } from '../../../nodes/lib/aggregate/row-estimate';
import { RuleProgress } from '../../../nodes/lib/aggregate/rule-progress';
import { QueryError } from '../../../nodes/lib/influx/query';

const marks = (...starts: number[]): Mark[] => starts.map((start) => markOfAll(start, { event: 0, sensor: 0 }, 0));
const starts = (found: readonly Mark[]): number[] => found.map(({ start }) => start);

it('estimates what there is to read of all series and of some apart', () => {
  const estimate = new RowEstimate(100_000);
  expect(estimate.most(undefined)).toBe(1);
  expect(estimate.learn(undefined, 1, 30_000)).toBe(true);
  expect(estimate.most(undefined)).toBe(3);
  const [one, some] = [new Set(['a']), new Set(['a', 'b', 'c'])];
  expect(estimate.most(some)).toBe(1);
  expect(estimate.learn(some, 10, 9000)).toBe(true);
  expect(estimate.most(some)).toBe(111);
  expect(estimate.most(one)).toBe(333);
  // Many reads of little say nothing of a read of all.
  for (let read = 0; read < 20; read++) expect(estimate.learn(one, 1, 1)).toBe(false);
  expect(estimate.most(one)).toBe(1000);
  expect(estimate.most(undefined)).toBe(3);
  expect(estimate.learn(undefined, 1, 0)).toBe(false);
  expect(estimate.most(undefined)).toBe(6);
});

it('reads less after a failure, and more again as it goes well', () => {
  const estimate = new RowEstimate(100_000);
  estimate.learn(undefined, 1, 1);
  expect(estimate.most(undefined)).toBe(1000);
  estimate.failed(1000);
  expect(estimate.most(undefined)).toBe(500);
  estimate.failed(1);
  expect(estimate.most(undefined)).toBe(1);
  estimate.learn(undefined, 1, 1);
  expect(estimate.most(undefined)).toBe(2);
});

it('lets the newest and the oldest be first by turns', () => {
  const progress = new RuleProgress(100_000);
  expect(progress.order([1, 2, 3, 4])).toEqual([4, 1, 2, 3]);
  progress.succeeded([]);
  expect(progress.order([1, 2, 3, 4])).toEqual([1, 4, 2, 3]);
  expect(progress.order([1, 2, 3, 4])).toEqual([1, 4, 2, 3]);
  progress.hasFailed([], new Error('any'), 0);
  expect(progress.order([1, 2, 3, 4])).toEqual([4, 1, 2, 3]);
  expect(progress.order([1])).toEqual([1]);
  expect(progress.order([])).toEqual([]);
});

it('tries windows that the server cannot answer for again later, and not before the others', () => {
  const progress = new RuleProgress(100_000);
  const [bad, good] = [marks(0, 1), marks(2)];
  expect(progress.hasFailed(bad, new QueryError('statement', 'no such thing'), 1000)).toBe(true);
  expect(progress.rests(1000)).toBe(false);
  const parts = progress.part([...bad, ...good], 1000);
  expect([starts(parts.due), starts(parts.again)]).toEqual([[2], []]);
  progress.succeeded(good);
  progress.hasBeen(new Map(bad.map((mark) => [mark.start, mark])));
  expect(progress.trouble).toBe('no such thing');
  const later = progress.part([...bad, ...good], 2000);
  expect([starts(later.due), starts(later.again)]).toEqual([[2], [0, 1]]);
  progress.succeeded(bad);
  progress.hasBeen(new Map());
  expect(progress.trouble).toBeUndefined();
});

it('rests when the server cannot be reached', () => {
  const progress = new RuleProgress(100_000);
  expect(progress.hasFailed(marks(0), new QueryError('unreachable', 'nobody there'), 1000)).toBe(false);
  expect(progress.rests(1500)).toBe(true);
  expect(progress.rests(2000)).toBe(false);
  expect(progress.failed).toBe(0);
  progress.succeeded(marks(0));
  expect(progress.trouble).toBeUndefined();
});

it('tries the one that was tried last after the others', () => {
  const progress = new RuleProgress(100_000);
  const [first, second] = marks(0, 1);
  const timeout = new QueryError('timeout', 'no answer');
  progress.hasFailed(marks(0, 1), timeout, 0);
  expect(starts(progress.part(marks(0, 1), 60_000).again)).toEqual([0, 1]);
  progress.hasFailed(first === undefined ? [] : [first], timeout, 60_000);
  expect(starts(progress.part(marks(0, 1), 130_000).again)).toEqual([1, 0]);
  progress.succeeded(second === undefined ? [] : [second]);
  progress.forget(marks(0));
  expect(starts(progress.part(marks(0, 1), 130_000).due)).toEqual([0, 1]);
});

it('rests when its results are dropped, longer each time, until that is over', () => {
  const progress = new RuleProgress(100_000);
  expect(progress.hasLost(0, 1000)).toBe(false);
  expect(progress.hasLost(5, 1000)).toBe(true);
  expect(progress.trouble).toContain('drops results');
  expect(progress.rests(1500)).toBe(true);
  expect(progress.rests(2000)).toBe(false);
  expect(progress.hasLost(5, 2000)).toBe(false);
  expect(progress.hasLost(6, 2000)).toBe(true);
  expect(progress.rests(3500)).toBe(true);
  expect(progress.hasLost(7, 100_000)).toBe(true);
  expect(progress.rests(101_000)).toBe(false);
});
