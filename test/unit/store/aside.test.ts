import { afterEach, describe, expect, it, vi } from 'vitest';
import { Marks } from '../../../nodes/lib/aggregate/marks';
import { KeptAlarms } from '../../../nodes/lib/alarm/kept-alarms';
import type { QueueCompanion } from '../../../nodes/lib/store/companion';
import { rulesKey } from '../../../nodes/lib/store/keys';
import type { AsideReport, Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';
import { accept, closeAll, drain, imbalance, openQueue, openStore } from './support';

afterEach(() => vi.restoreAllMocks());

const put = (key: string, text: string) => ({ type: 'put' as const, key, value: Buffer.from(text) });

/** Something that is no record. */
async function putBroken(store: Store, key: string): Promise<void> {
  await store.batch([{ type: 'put', key, value: Buffer.from('broken'), isSealed: true }]);
}

describe('a record that cannot be read', () => {
  it('is put aside, counted by kind, and told once', async () => {
    const directory = tempDirectory('aside');
    const store = await openStore(directory);
    const told: AsideReport[] = [];
    const toldToo: AsideReport[] = [];
    store.listen({ putAside: (report) => told.push(report) });
    store.listen({ putAside: (report) => toldToo.push(report) });
    for (const topic of ['a', 'b']) await putBroken(store, `alarm/n1/${topic}`);
    await store.batch([put('alarm/n1/c', '{"no":"alarm"}')]);
    const kept = await KeptAlarms.open(store, 'n1');
    kept.close();
    expect([...kept.all()]).toEqual([]);
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([{ kind: 'alarm', records: 3, fault: 'damaged' }]);
    expect(toldToo).toEqual([]);
    expect((await store.get('aside/alarm/n1/a'))?.toString()).toBe('broken');
    expect(store.aside).toEqual(new Map([['alarm', 3]]));
    await closeAll();
    // It is still counted after a restart, and not told again.
    const again = await openStore(directory);
    again.listen({ putAside: (report) => told.push(report) });
    (await KeptAlarms.open(again, 'n1')).close();
    expect(again.aside).toEqual(new Map([['alarm', 3]]));
    expect(told).toHaveLength(1);
  });

  it('of rules stops no intake, and their marks wait for the node to say its rules', async () => {
    const directory = tempDirectory('aside');
    const rule = { id: 'r', bucket: 'raw', measurement: 'm', every: 60_000, into: 'averages' };
    const marks = new Marks('s1');
    const queue = await openQueue(await openStore(directory), { companion: marks });
    marks.enter('agg');
    marks.setRules('agg', [rule]);
    expect(await accept(queue, 'm v=1 60000000001')).toBeUndefined();
    await closeAll();
    for (const text of ['not JSON', '{}', '[{"id":1}]']) {
      const broken = await openStore(directory);
      await broken.batch([put(rulesKey('s1', 'agg'), text)]);
      const after = new Marks('s1');
      after.enter('agg');
      const intake = await openQueue(broken, { companion: after });
      expect(await accept(intake, 'm v=2 60000000002'), text).toBeUndefined();
      after.setRules('agg', [rule]);
      expect([...(after.of('agg').get('r')?.windows.keys() ?? [])]).toEqual([60_000]);
      await closeAll();
    }
  });
});

it('a companion that throws never keeps points from being taken', async () => {
  const companion: QueueCompanion = {
    load: () => Promise.reject(new TypeError('load is broken')),
    needsDropped: () => false,
    collect: () => {
      throw new TypeError('collect is broken');
    },
  };
  const store = await openStore(tempDirectory('companion'));
  const queue = await openQueue(store, { companion });
  const reasons: string[] = [];
  queue.onCompanionFailed((error) => reasons.push(String(error)));
  expect(await accept(queue, 'm v=1 1')).toBeUndefined();
  expect(reasons).toEqual(['TypeError: collect is broken']);
  expect(await drain(queue)).toEqual(['m v=1 1']);
  expect(imbalance(queue)).toBe(0);
});

it('a sequence in use is never given again when a ledger is lost, and the points are counted anew', async () => {
  const directory = tempDirectory('ledger');
  const queue = await openQueue(await openStore(directory));
  for (let index = 0; index < 5; index++) await accept(queue, `m v=${index} ${index}`);
  await closeAll();
  const store = await openStore(directory);
  await store.batch([{ type: 'del', key: 'lane/s1/raw/1' }]);
  const after = await openQueue(store);
  expect(after.totals()).toMatchObject({ recovered: 5, queuedPoints: 5 });
  await accept(after, 'm v=5 5');
  expect(await drain(after)).toEqual([0, 1, 2, 3, 4, 5].map((index) => `m v=${index} ${index}`));
});
