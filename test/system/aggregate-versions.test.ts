import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Delivery } from '../../nodes/influx-server/delivery';
import type { AggregatorListener } from '../../nodes/lib/aggregate/aggregator';
import type { Rule } from '../../nodes/lib/aggregate/rules';
import { lineOf } from '../../nodes/lib/influx/line-protocol';
import { seed, seededRandom } from '../support/campaign';
import { targetKinds, type Target } from '../support/facade/targets';
import { recompute, type RecomputedRule } from '../support/recomputation';
import { deliveryTo } from '../support/delivery-to';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const FUNCTIONS = ['mean', 'median', 'min', 'max', 'sum'] as const;
const NO_LISTENER: AggregatorListener = {
  computed: () => undefined,
  expired: () => undefined,
  unusable: () => undefined,
  changed: () => undefined,
};
/** What is hard to quote in line protocol, in InfluxQL, or in both. */
const DEVICES = ['d1', 'a b', "it's", 'a,b=c', '"q"', 'back\\slash', 'é😀', '%20'];

describe.each(targetKinds())('aggregation on $name', ({ start }) => {
  let target: Target;
  let raw: string;
  let into: string;
  let use: ReturnType<typeof deliveryTo>;
  let delivery: Delivery;

  beforeAll(async () => {
    target = await start();
    raw = await target.createBucket(7 * 86_400);
    into = await target.createBucket(30 * 86_400);
    const directory = tempDirectory('aggregate');
    use = deliveryTo(directory, target.options);
    ({ delivery } = use);
  });

  afterAll(async () => {
    await use.leave();
    await target.cleanUp();
    target.assertHonest();
  });

  test(`every window is what its raw points say (seed ${seed})`, async () => {
    const random = seededRandom();
    const below = (limit: number): number => Math.floor(random() * limit);
    const fields = new Map([
      ['value', FUNCTIONS],
      ['number', FUNCTIONS],
    ]);
    const rule: Rule = { id: 'r', bucket: raw, measurement: 'm', every: MINUTE, into, retention: 168 * HOUR, fields };
    const aggregator = delivery.aggregator('a', 0, use.connection, NO_LISTENER);
    aggregator.setRules([rule]);
    const begin = Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR;

    const acceptSome = async (points: number): Promise<void> => {
      const stored = Array.from({ length: points }, async () => {
        const tags = { device: DEVICES[below(DEVICES.length)] ?? '', ...(below(2) && { site: 'hall' }) };
        const value = { type: 'float', value: (random() - 0.5) * 10 ** below(9) } as const;
        const number = { type: 'integer', value: below(1000) - 500 } as const;
        const time = `${begin + below(2 * HOUR)}${String(below(1e6)).padStart(6, '0')}`;
        const line = lineOf({
          bucket: raw,
          measurement: 'm',
          tags,
          fields: below(3) ? { value, number } : { value },
          time,
        });
        await new Promise<void>((resolve, reject) => {
          delivery.accept(raw, 'sensor', 'w', line, (error) => (error ? reject(error) : resolve()));
        });
      });
      await Promise.all(stored);
    };
    const untilComputed = async (): Promise<void> => {
      await until(
        'all is computed and written',
        () => [aggregator.state(), delivery.totals()] as const,
        ([state, totals]) => state.waiting + state.open === 0 && totals?.queuedPoints === 0,
        { deadline: 60_000 },
      );
    };

    // Some series at first, so that they are read one by one; then all of them.
    await acceptSome(400);
    await untilComputed();
    await acceptSome(40);
    await untilComputed();

    const { url, token, username, password, database } = target.options;
    const compared: RecomputedRule = {
      bucket: raw,
      measurement: 'm',
      into,
      every: MINUTE * 1_000_000,
      fields: { value: [...FUNCTIONS], number: [...FUNCTIONS] },
      since: 0n,
      kept: 0n,
    };
    const place = {
      url,
      ...(token !== undefined && { token }),
      ...(database !== undefined && { database }),
      ...(username !== undefined && password !== undefined && { basic: btoa(`${username}:${password}`) }),
    };
    const { windows, faults } = await recompute(place, [compared], BigInt(Date.now()) * 1_000_000n);
    expect(faults).toEqual([]);
    expect(windows).toBeGreaterThan(100);
    await aggregator.close();
  });
});
