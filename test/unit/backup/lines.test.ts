import { expect, test } from 'vitest';
import { LineSplitter, timeOf } from '../../../nodes/lib/backup/lines';
import { lineOf } from '../../../nodes/lib/influx/line-protocol';
import { RandomPoints } from '../influx/random-points';

test('lines are found in text however it is cut, line breaks in strings and awkward names included', () => {
  const random = new RandomPoints(5);
  const points = Array.from({ length: 3000 }, () => random.point());
  const lines = points.map(lineOf);
  const text = lines.map((line) => `${line}\n`).join('');
  const splitter = new LineSplitter();
  const found: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = random.below(200);
    found.push(...splitter.push(text.slice(at, at + length)));
    at += length;
  }
  expect(found).toEqual(lines);
  expect(splitter.isWithin).toBe(false);
  expect(found.map(timeOf)).toEqual(points.map(({ time }) => BigInt(time)));
});

test('a string of very many line breaks takes no longer for that', () => {
  const line = `m s="${'\n'.repeat(200_000)}" 1`;
  const splitter = new LineSplitter();
  expect(splitter.push(`${line}\n`)).toEqual([line]);
});

test('a line that has not ended is known', () => {
  const splitter = new LineSplitter();
  expect(splitter.push('m v=1 1')).toEqual([]);
  expect(splitter.isWithin).toBe(true);
  expect(splitter.push('\nm s="a\n')).toEqual(['m v=1 1']);
  expect(splitter.isWithin).toBe(true);
});
