import { expect, it } from 'vitest';
import { hasRecords, moveQueue, queueRanges, removeQueue } from '../../../nodes/lib/store/move-queue';
import type { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { accept, acceptAll, closeAll, drain, openQueue, openStore } from '../store/support';

const LINES = Array.from({ length: 420 }, (_, index) => `m,d=a s="two\nlines" ${index}`);

/** Two queues; the first is large enough for several batches. */
async function twoQueues(): Promise<string> {
  const directory = tempDirectory('move');
  const store = await openStore(directory);
  const old = await openQueue(store, { chunkLines: 1 }, 'old');
  await acceptAll(old, LINES);
  await accept(old, 'alarms,d=a active=true 1', { bucket: 'events', priority: 'event' });
  const now = await openQueue(store, {}, 'new');
  await accept(now, 'm,d=a v=1 1');
  await closeAll();
  return directory;
}

/** The store fails before a batch, as when the process ends there. */
function failingAt(store: Store, batch: number): Store {
  let batches = 0;
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'batch')
        return (...parts: Parameters<Store['batch']>) =>
          batches++ === batch ? Promise.reject(new Error('cut')) : target.batch(...parts);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

it('moves all points behind those of the other queue, wherever it was cut before', async () => {
  for (let cut = 0; ; cut++) {
    const directory = await twoQueues();
    const store = await openStore(directory);
    const isCut = await moveQueue(failingAt(store, cut), 'old', 'new').then(
      () => false,
      () => true,
    );
    await moveQueue(store, 'old', 'new');
    expect(await hasRecords(store, queueRanges('old'))).toBe(false);
    const queue = await openQueue(store, {}, 'new');
    expect(queue.totals()).toMatchObject({ queuedPoints: LINES.length + 2, recovered: LINES.length + 2, damaged: 0 });
    expect(await drain(queue)).toEqual(['m,d=a v=1 1', ...LINES]);
    expect(await drain(queue, 'events')).toEqual(['alarms,d=a active=true 1']);
    await closeAll();
    if (!isCut) break;
  }
});

it('removes a queue with all that is in it', async () => {
  const store = await openStore(await twoQueues());
  expect(await removeQueue(store, 'old')).toEqual({ points: LINES.length + 1, lost: 0 });
  expect(await hasRecords(store, queueRanges('old'))).toBe(false);
  expect(await store.orphans([])).toEqual(new Map([['new', 1]]));
});
