import { expect, it } from 'vitest';
import { systemClock } from '../../../nodes/lib/action/clock';
import { Journal } from '../../../nodes/lib/action/journal';
import { Packets } from '../../../nodes/lib/mqtt/packets';
import { outboxRange } from '../../../nodes/lib/store/keys';
import { Store, type StoreOperation } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { until } from '../../support/until';

it('actions and packets that a repair has lost are stored again from memory', async () => {
  const store = await Store.open(tempDirectory('repaired'));
  const silent = { stepTaken: () => undefined, due: () => undefined, failed: () => undefined };
  const action = {
    id: 'a1',
    kind: 'action',
    node: 'p1',
    origin: 'm',
    topic: 'a/b',
    message: '{}',
    created: 0,
  } as const;
  const journal = await Journal.load(store, 'b1', silent, systemClock);
  await journal.create({ ...action, expires: 10 ** 13 });
  const packet = { id: 1, message: 'a1', qos: 2, session: 's', publish: { topic: 'a/b', payload: '{}' } };
  await store.batch([{ type: 'put', key: 'packet/b1/00000000000000', value: Buffer.from(JSON.stringify(packet)) }]);
  const packets = await Packets.load(store, 'b1', journal, () => undefined);
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const sort of ['action', 'packet'] as const)
      for await (const page of store.pages(outboxRange(sort))) found.push(...page.map(([key]) => key));
    return found;
  };
  const before = await keys();
  expect(before).toHaveLength(2);
  await store.batch(before.map((key): StoreOperation => ({ type: 'del', key })));
  journal.putAgain();
  packets.putAgain();
  await until('both are there again', async () => (await keys()).length === 2);
  expect(await keys()).toEqual(before);
  journal.close();
  await store.close();
});
