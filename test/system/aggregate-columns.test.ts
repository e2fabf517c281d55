import { afterEach, describe, expect, test } from 'vitest';
import type { AggregatorListener } from '../../nodes/lib/aggregate/aggregator';
import type { Rule } from '../../nodes/lib/aggregate/rules';
import { targetKinds, type Target } from '../support/facade/targets';
import { recompute } from '../support/recomputation';
import { deliveryTo } from '../support/delivery-to';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const DAY = 24 * HOUR;
const NO_LISTENER: AggregatorListener = {
  computed: () => undefined,
  expired: () => undefined,
  unusable: () => undefined,
  changed: () => undefined,
};

/** Buckets that are kept for a week have a shard for each day. */
const NEW = Math.floor(Date.now() / DAY) * DAY - DAY + HOUR;
const OLD = NEW - 2 * DAY;

/** In 3.x a column of a table is a tag or a field for ever: it refuses such points. */
const kinds = targetKinds().filter(({ version }) => version !== '3');

describe.each(kinds)('a column that was something else in an earlier shard, on $name', ({ start }) => {
  const opened: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });

  /** Accepts the points, lot by lot, computes after each, and has the windows recomputed. */
  async function windowsOf(lots: readonly (readonly string[])[]): Promise<{ windows: number; faults: string[] }> {
    const target: Target = await start();
    opened.push(async () => {
      await target.cleanUp();
      target.assertHonest();
    });
    const raw = await target.createBucket(7 * 86_400);
    const into = await target.createBucket(30 * 86_400);
    const { options } = target;
    const directory = tempDirectory('aggregate');
    const use = deliveryTo(directory, options);
    const { delivery, connection } = use;
    opened.push(() => use.leave());
    const fields = new Map([
      ['value', ['sum'] as const],
      ['number', ['sum'] as const],
    ]);
    const rule: Rule = { id: 'r', bucket: raw, measurement: 'm', every: MINUTE, into, retention: 168 * HOUR, fields };
    const aggregator = delivery.aggregator('a', 0, connection, NO_LISTENER);
    opened.push(() => aggregator.close());
    aggregator.setRules([rule]);
    for (const lines of lots) {
      const stored = lines.map(
        (line) =>
          new Promise<void>((resolve, reject) => {
            delivery.accept(raw, 'sensor', 'w', line, (error) => (error ? reject(error) : resolve()));
          }),
      );
      await Promise.all(stored);
      await until(
        'all is computed and written',
        () => [aggregator.state(), delivery.totals()] as const,
        ([state, totals]) => state.waiting + state.open === 0 && totals?.queuedPoints === 0 && totals.refused === 0,
      );
    }
    const { url, token, username, password, database } = options;
    const place = {
      url,
      ...(token !== undefined && { token }),
      ...(database !== undefined && { database }),
      ...(username !== undefined && password !== undefined && { basic: btoa(`${username}:${password}`) }),
    };
    const sums = { value: ['sum'], number: ['sum'] };
    const compared = { bucket: raw, measurement: 'm', into, every: MINUTE * 1_000_000, fields: sums };
    return recompute(place, [{ ...compared, since: 0n, kept: 0n }], BigInt(Date.now()) * 1_000_000n);
  }

  const at = (time: number, seconds: number): string => `${time + seconds * 1000}000000`;

  test('a tag that was a field', async () => {
    const { windows, faults } = await windowsOf([
      [`m,device=d1 site="hall",value=1 ${at(OLD, 1)}`],
      [
        `m,device=d1,site=hall value=2,number=3i ${at(NEW, 1)}`,
        `m,device=d1,site=hall value=4 ${at(OLD, 2)}`,
        `m,device=d1,site=hall value=5 ${at(OLD, 60)}`,
      ],
      [`m,device=d1,site=hall value=6,number=7i ${at(OLD, 3)}`, `m,device=d2,site=hall value=8 ${at(OLD, 60)}`],
    ]);
    expect(faults).toEqual([]);
    expect(windows).toBe(5);
  });

  test('a field that was a tag', async () => {
    const { windows, faults } = await windowsOf([
      [`m,device=d1,value=1 number=2i ${at(OLD, 1)}`, `m,device=d1,value=1 number=3i ${at(OLD, 60)}`],
      [`m,device=d1 value=4,number=5i ${at(NEW, 1)}`, `m,device=d1 value=6 ${at(OLD, 2)}`],
      [`m,device=d1 value=7,number=8i ${at(OLD, 3)}`, `m,device=d1,value=1 value=9 ${at(OLD, 4)}`],
    ]);
    expect(faults).toEqual([]);
    expect(windows).toBe(4);
  });
});
