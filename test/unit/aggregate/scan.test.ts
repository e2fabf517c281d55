import { expect, it } from 'vitest';
import { escapedMeasurement, isOf, millisecondsOf, seriesKey, tagsOf } from '../../../nodes/lib/aggregate/scan';
import { lineOf } from '../../../nodes/lib/influx/line-protocol';
import { seed } from '../../support/campaign';
import { RandomPoints } from '../influx/random-points';

it(`finds measurement, series and time in whatever line is written (seed ${seed})`, () => {
  const points = new RandomPoints(seed);
  for (let round = 0; round < 2000; round++) {
    const point = points.point();
    const line = lineOf(point);
    const tags = Object.fromEntries(Object.entries(point.tags).filter(([, value]) => value !== ''));
    expect(tagsOf(seriesKey(line)), line).toEqual(tags);
    expect(isOf(line, escapedMeasurement(point.measurement)), line).toBe(true);
    expect(isOf(line, escapedMeasurement(point.measurement.slice(0, -1))), line).toBe(false);
    expect(isOf(line, escapedMeasurement(`${point.measurement}x`)), line).toBe(false);
    const nanoseconds = BigInt(point.time);
    const beyond = ((nanoseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
    expect(millisecondsOf(line), line).toBe(Number((nanoseconds - beyond) / 1_000_000n));
  }
});

it.each([
  ['1', 0],
  ['999999', 0],
  ['1000000', 1],
  ['-1', -1],
  ['-1000000', -1],
  ['-1000001', -2],
])('rounds a time of %s ns down', (time, expected) => {
  expect(millisecondsOf(`m v=1 ${time}`)).toBe(expected);
});
