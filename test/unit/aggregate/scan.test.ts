import { expect, it } from 'vitest';
import { millisecondsOf, parseSeries, seriesKey } from '../../../nodes/lib/aggregate/scan';
import { lineOf } from '../../../nodes/lib/influx/line-protocol';
import { seed } from '../../support/campaign';
import { RandomPoints } from '../influx/random-points';

it(`finds series and time in whatever line is written (seed ${seed})`, () => {
  const points = new RandomPoints(seed);
  for (let round = 0; round < 2000; round++) {
    const point = points.point();
    const line = lineOf(point);
    const tags = Object.fromEntries(Object.entries(point.tags).filter(([, value]) => value !== ''));
    expect(parseSeries(seriesKey(line)), line).toEqual({ measurement: point.measurement, tags });
    const nanoseconds = BigInt(point.time);
    const beyond = ((nanoseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
    expect(millisecondsOf(line), line).toBe(Number((nanoseconds - beyond) / 1_000_000n));
  }
});
