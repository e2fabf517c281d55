import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { aggregate } from '../../../nodes/lib/aggregate/functions';
import { rounds, seed, seededRandom } from '../../support/campaign';

const ALL = ['mean', 'median', 'min', 'max', 'sum'] as const;

/** Reads lines of JSON numbers and answers with what its own library makes of them. */
const PYTHON = `
import json, math, statistics, sys
for line in sys.stdin:
    values = [float(value) for value in json.loads(line)]
    print(json.dumps({"mean": statistics.mean(values), "median": statistics.median(values), "min": min(values),
                      "max": max(values), "sum": math.fsum(values), "count": len(values)}))
`;

function byPython(windows: number[][]): unknown[] {
  const input = windows.map((values) => JSON.stringify(values)).join('\n');
  const output = execFileSync('python3', ['-c', PYTHON], { input, encoding: 'utf8', maxBuffer: 1e9 });
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

/** Values of one kind, as sensors, counters and nasty people send them. */
function randomWindow(random: () => number): number[] {
  const kind = Math.floor(random() * 6);
  const one = (): number => {
    switch (kind) {
      case 0:
        return Math.round(random() * 1000) / 10;
      case 1:
        return Math.floor((random() - 0.5) * 2 ** 40);
      case 2:
        return (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20);
      case 3:
        return 1e16 * (random() < 0.5 ? 1 : -1) + Math.floor(random() * 10);
      case 4:
        return random() < 0.5 ? 0.1 : random() < 0.5 ? 1e100 : -1e100;
      default:
        return (random() - 0.5) * Number.MIN_VALUE * 2 ** Math.floor(random() * 60);
    }
  };
  return Array.from({ length: 1 + Math.floor(random() * (random() < 0.3 ? 3 : 60)) }, one);
}

it(`agrees to the last bit with Python's statistics and math.fsum (seed ${seed})`, () => {
  const random = seededRandom();
  const windows = Array.from({ length: rounds(3000, 200_000) }, () => randomWindow(random));
  const expected = byPython(windows);
  for (const [index, values] of windows.entries()) {
    // Python tells -0.0 from 0.0 where InfluxDB and arithmetic do not.
    const found = Object.fromEntries(Object.entries(aggregate(values, ALL)).map(([name, value]) => [name, value + 0]));
    const wanted = Object.entries(expected[index] as Record<string, number>).map(([name, value]) => [name, value + 0]);
    expect(found, JSON.stringify(values)).toEqual(Object.fromEntries(wanted));
  }
});

it.each([
  { what: 'one value', values: [3], expected: { mean: 3, median: 3, min: 3, max: 3, sum: 3, count: 1 } },
  {
    what: 'an even count',
    values: [4, 1, 3, 2],
    expected: { mean: 2.5, median: 2.5, min: 1, max: 4, sum: 10, count: 4 },
  },
  {
    what: 'cancellation',
    values: [1e100, 1, -1e100],
    expected: { mean: 1 / 3, median: 1, min: -1e100, max: 1e100, sum: 1, count: 3 },
  },
])('computes $what', ({ values, expected }) => {
  expect(aggregate(values, ALL)).toEqual(expected);
});

it('computes what is asked for and always the count', () => {
  expect(aggregate([1, 2], ['max'])).toEqual({ max: 2, count: 2 });
});

it('leaves a sum out that no double can hold, but not the mean', () => {
  const most = Number.MAX_VALUE;
  expect(aggregate([most, most, most], ALL)).toEqual({ mean: most, median: most, min: most, max: most, count: 3 });
  expect(aggregate([most, most, -most, -most], ALL)).toEqual({
    mean: 0,
    median: 0,
    min: -most,
    max: most,
    sum: 0,
    count: 4,
  });
});

it('takes a large window', () => {
  const values = Array.from({ length: 604_800 }, (_, index) => index / 10);
  expect(aggregate(values, ['median', 'max', 'min'])).toEqual({
    median: 30_239.95,
    max: 60_479.9,
    min: 0,
    count: 604_800,
  });
});
