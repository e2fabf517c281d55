import { expect, it } from 'vitest';
import { StoredResults } from '../../../nodes/lib/aggregate/revisions';
import { QueryError, type QuerySource } from '../../../nodes/lib/influx/query';
import { FakeInflux } from './fake-influx';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const RULE = {
  id: 'r',
  bucket: 'raw',
  measurement: 'm',
  every: MINUTE,
  into: 'minutes',
  retention: 1e12,
  fields: new Map([['v', ['max' as const]]]),
};

/** Refuses to read more than an hour at once, as 3.x Core does when that is in too many files. */
function limited(influx: FakeInflux): QuerySource {
  return {
    async *query(bucket, statement, signal) {
      await Promise.resolve();
      const [from = 0n, to = 0n] = Array.from(statement.matchAll(/time >=? ?(\d+)|time < (\d+)/g), ([, a, b]) =>
        BigInt(a ?? b ?? 0),
      );
      if (to - from > BigInt(HOUR) * 1_000_000n) throw new QueryError('too-large', 'exceeding the file limit');
      yield* influx.query(bucket, statement, signal);
    },
  };
}

it('results that are in too many files for one query are read in pieces', async () => {
  const influx = new FakeInflux();
  const starts = [0, 5 * HOUR, 23 * HOUR];
  influx.write(
    'minutes',
    starts.map((start) => `m,d=a v_max=1,v_count=2 ${start}000000`),
  );
  const range = { from: 0, to: 24 * HOUR, series: undefined };
  const results = await StoredResults.read(RULE, range, {
    source: limited(influx),
    signal: new AbortController().signal,
  });
  const fields = { v_max: { type: 'float', value: 3 }, v_count: { type: 'float', value: 2 } } as const;
  for (const start of starts) {
    expect(results.placeOf({ d: 'a' }, start, fields)).toEqual({
      time: `${start}000001`.replace(/^0+(?=1)/, ''),
      isCorrection: true,
    });
  }
  expect(results.placeOf({ d: 'a' }, HOUR, fields)).toMatchObject({ isCorrection: false });
});
