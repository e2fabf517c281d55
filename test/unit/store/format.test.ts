import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Journal } from '../../../nodes/lib/action/journal';
import { Marks } from '../../../nodes/lib/aggregate/marks';
import { KeptAlarms } from '../../../nodes/lib/alarm/kept-alarms';
import { Packets } from '../../../nodes/lib/mqtt/packets';
import { seal, unseal } from '../../../nodes/lib/store/codec';
import { crc32c } from '../../../nodes/lib/store/crc32c';
import { FORMAT_KEY, listenedPrefix, prefixRange } from '../../../nodes/lib/store/keys';
import type { AsideReport } from '../../../nodes/lib/store/store';
import { tempDirectory } from '../../support/temp';
import { closeAll, drain, linesOf, openQueue, openStore } from './support';

afterEach(() => vi.restoreAllMocks());

/** A store as release 0.1.0 (commit cbf4625) has made it, with a record of every kind. */
function storeOf010(): string {
  const directory = join(tempDirectory('format'), 'store');
  mkdirSync(directory);
  const fixture = join(import.meta.dirname, '../../fixtures/store-of-0.1.0.json');
  const files = JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, string>;
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), Buffer.from(content, 'base64'));
  return directory;
}

async function withLevel<T>(directory: string, use: (level: ClassicLevel<string, Buffer>) => Promise<T>): Promise<T> {
  const level = new ClassicLevel<string, Buffer>(directory, { keyEncoding: 'utf8', valueEncoding: 'buffer' });
  await level.open();
  try {
    return await use(level);
  } finally {
    await level.close();
  }
}

/** Opens everything that the store of 0.1.0 holds, and finds it. */
async function expectEverything(directory: string): Promise<void> {
  const store = await openStore(directory);
  const aside: AsideReport[] = [];
  store.listen({ putAside: (report) => aside.push(report) });
  const marks = new Marks('s1');
  marks.enter('agg1');
  const queue = await openQueue(store, { companion: marks });
  expect(queue.totals()).toMatchObject({ recovered: 8, queuedPoints: 8, damaged: 0 });
  expect(linesOf(await queue.take('raw', 10))).toHaveLength(5);
  expect(await drain(queue, 'events')).toContain('alarms,device=d1 text="line 2\nsecond" 1700000000000000002');
  const marked = marks.of('agg1').get('raw climate 60000 averages');
  expect([...(marked?.windows.keys() ?? [])]).toEqual([1_699_999_980_000, 1_700_000_040_000]);
  expect(marked?.stretches.get(1_699_980_000_000)).toMatchObject({ from: 1_700_000_100_000, to: 1_700_000_280_000 });
  const alarms = await KeptAlarms.open(store, 'alarms1');
  expect(alarms.get('alarms/hall/d1/smoke')).toMatchObject({ state: 'raised', severity: 'high' });
  expect(alarms.get('sensors/hall/d1')).toMatchObject({ reading: true, interval: 10_000 });
  expect(alarms.owed().map(({ change }) => change.event)).toEqual(['raised']);
  alarms.close();
  const listened: string[] = [];
  for await (const page of store.pages(prefixRange(listenedPrefix('alarms1'))))
    for (const [, body] of page) listened.push(body.toString());
  expect(listened.join()).toContain('sensors/hall/d1');
  const listener = { stepTaken: () => undefined, due: () => undefined, failed: () => undefined };
  const journal = await Journal.load(store, 'b1', listener, { now: () => 0, stamp: () => '0' } as never);
  expect(journal.find('a1')?.topic).toBe('actions/hall/d1/valve');
  const packets = await Packets.load(store, 'b1', journal, () => undefined);
  expect(packets.messages()).toEqual(['a1']);
  journal.close();
  expect((await store.get('installation'))?.toString()).toContain('"place"');
  expect(store.aside.size).toBe(0);
  expect(aside).toEqual([]);
  await closeAll();
}

describe('a store of release 0.1.0', () => {
  it('is opened with everything that is in it', async () => {
    await expectEverything(storeOf010());
  });

  it('has every record in the form of this release afterwards', async () => {
    const directory = storeOf010();
    await openStore(directory);
    await closeAll();
    await withLevel(directory, async (level) => {
      const entries = await level.iterator().all();
      expect(entries.length).toBeGreaterThan(20);
      for (const [key, record] of entries) expect(unseal(key, record), key).toBeInstanceOf(Buffer);
    });
  });

  it('goes on where rewriting it was cut', async () => {
    const directory = storeOf010();
    // Half of it is rewritten, and there is no number yet.
    await withLevel(directory, async (level) => {
      const entries = await level.iterator({ gte: 'chunk0' }).all();
      for (const [key, value] of entries.filter((_, index) => index % 2 === 0)) {
        const body = key.startsWith('lane/') ? value.subarray(8) : value;
        await level.put(key, seal(key, body));
      }
    });
    await expectEverything(directory);
  });

  it('whose records are damaged has them put aside, and keeps the others', async () => {
    const directory = storeOf010();
    await withLevel(directory, async (level) => {
      await level.put('action/b1/00000000000009', Buffer.from('{"id":"a2","ste'));
      await level.put('rules/s1/agg2', Buffer.from('\0\0\0'));
    });
    const store = await openStore(directory);
    expect(Object.fromEntries(store.aside)).toEqual({ action: 1, rules: 1 });
    expect((await store.get('aside/action/b1/00000000000009'))?.toString()).toBe('{"id":"a2","ste');
    expect(await store.get('action/b1/00000000000000')).toBeDefined();
  });
});

describe('a store of a later release', () => {
  it.each<[string, () => Buffer]>([
    ['a higher number', () => seal(FORMAT_KEY, Buffer.from('3'))],
    [
      'a layout that is not known',
      () => {
        const record = seal(FORMAT_KEY, Buffer.from('?'));
        record[4] = 2;
        record.writeUInt32LE(crc32c(record, 4, record.length, crc32c(Buffer.from(FORMAT_KEY))), 0);
        return record;
      },
    ],
  ])('by %s is refused, says so, and is left as it is', async (_, record) => {
    const directory = storeOf010();
    await withLevel(directory, (level) => level.put(FORMAT_KEY, record()));
    const error: unknown = await openStore(directory).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'store-unavailable' });
    expect(String(error)).toContain('made by a later release');
    await withLevel(directory, async (level) => {
      expect((await level.get('repaired'))?.toString()).toMatch(/^20/);
    });
  });
});
