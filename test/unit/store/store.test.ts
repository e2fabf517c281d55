import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Store } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { interceptBatches } from './level-batches';
import { accept, closeAll, openQueue, openStore } from './support';

afterEach(() => vi.restoreAllMocks());

const put = (key: string, value: string): { type: 'put'; key: string; value: Buffer } => ({
  type: 'put',
  key,
  value: Buffer.from(value),
});

describe('a store', () => {
  it('is one for all who open its folder, however they write its name, until the last has closed it', async () => {
    const directory = tempDirectory('store');
    const [one, two] = await Promise.all([
      Store.open(directory),
      Store.open(`${directory}/../${directory.split('/').at(-1) ?? ''}`),
    ]);
    expect(one).toBe(two);
    await one.close();
    await two.batch([put('x', '1')], { sync: true });
    await two.close();
    await expect(two.batch([put('x', '2')], { sync: true })).rejects.toMatchObject({ code: 'store-unavailable' });
    const again = await openStore(directory);
    expect(again).not.toBe(one);
    expect((await again.get('x'))?.toString()).toBe('1');
  });

  it('can be opened while it is being closed', async () => {
    const directory = tempDirectory('store');
    for (let round = 0; round < 5; round++) {
      const store = await Store.open(directory);
      const closing = store.close();
      const next = await Store.open(directory);
      expect(next.fault).toBeUndefined();
      await closing;
      await next.close();
    }
  });

  it('joins batches that arrive while another is written', async () => {
    const store = await openStore(tempDirectory('store'));
    const batches: [number, boolean][] = [];
    interceptBatches(({ operations, sync, apply }) => {
      batches.push([operations.length, sync]);
      return apply();
    });
    await Promise.all([
      store.batch([put('a', '1')], { sync: false }),
      store.batch([put('b', '2')], { sync: false }),
      store.batch([put('c', '3')], { sync: true }),
    ]);
    expect(batches).toEqual([
      [1, true],
      [2, true],
    ]);
  });

  it('writes what was handed in before it closes', async () => {
    const directory = tempDirectory('store');
    const store = await Store.open(directory);
    const writes = Array.from({ length: 20 }, (_, index) => store.batch([put(`k${index}`, 'v')], { sync: false }));
    await store.close();
    await Promise.all(writes);
    const again = await openStore(directory);
    expect(await again.hasMany(['k0', 'k19', 'k20'])).toEqual([true, true, false]);
  });

  it('names the folder when it cannot be opened', async () => {
    const directory = tempDirectory('store');
    writeFileSync(join(directory, 'file'), '');
    const error: unknown = await Store.open(join(directory, 'file', 'store')).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'store-unavailable' });
    expect(String(error)).toContain(join(directory, 'file', 'store'));
    chmodSync(directory, 0o700);
    mkdirSync(join(directory, 'ok'));
    await openStore(join(directory, 'ok'));
  });

  it('knows the servers whose points nobody will write', async () => {
    const directory = tempDirectory('store');
    const store = await openStore(directory);
    for (const server of ['gone', 'known', 'open']) await accept(await openQueue(store, {}, server), 'a v=1 1');
    await accept(await openQueue(store, {}, 'gone/2'), 'a v=1 1');
    await openQueue(store, {}, 'empty');
    await closeAll();
    const again = await openStore(directory);
    await openQueue(again, {}, 'open');
    expect(await again.orphans(['known'])).toEqual(
      new Map([
        ['gone', 1],
        ['gone/2', 1],
      ]),
    );
  });
});
