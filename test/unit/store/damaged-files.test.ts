import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { inspect } from '../../../nodes/lib/store/inspect';
import { Store } from '../../../nodes/lib/store/store';
import { isGoodTable, salvageTable } from '../../../nodes/lib/store/table';
import { seededRandom } from '../../support/campaign';
import { tempDirectory } from '../../support/temp';
import { accept, closeAll, drain, imbalance, openQueue, openStore } from './support';

afterEach(() => vi.restoreAllMocks());

const LINES = Array.from({ length: 40 }, (_, index) => `m text="${'x'.repeat(300)}${index}" ${index}`);

/** A closed store with points in a table, and points in a log. */
async function storeWithTable(): Promise<string> {
  const directory = join(tempDirectory('files'), 'store');
  const store = await openStore(directory);
  const queue = await openQueue(store);
  for (const line of LINES.slice(0, 30)) await accept(queue, line);
  await store.compact({ gte: '', lt: '~' });
  for (const line of LINES.slice(30)) await accept(queue, line);
  await closeAll();
  return directory;
}

function fileOf(directory: string, kind: RegExp): string {
  return join(
    directory,
    readdirSync(directory)
      .filter((name) => kind.test(name))
      .sort()[0] ?? '',
  );
}

function change(path: string, how: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, how(bytes) ?? bytes);
}

/** As after a crash: nobody has noted how long the files are. */
function forgetClosing(directory: string): void {
  rmSync(join(directory, 'CLOSED'));
}

/** Opens it and takes everything; what was told of damage. */
async function readAll(directory: string): Promise<{ lines: string[]; told: string[]; damaged: number }> {
  const store = await openStore(directory);
  const told: string[] = [];
  store.listen({
    damaged: ({ reason }) => told.push(reason),
    putAside: ({ kind, records }) => told.push(`${records} ${kind}`),
  });
  const queue = await openQueue(store);
  expect(await accept(queue, 'm new=1 1')).toBeUndefined();
  const lines = await drain(queue);
  expect(lines.pop()).toBe('m new=1 1');
  expect(imbalance(queue)).toBe(0);
  const { damaged } = queue.totals();
  await closeAll();
  return { lines, told, damaged };
}

describe('a table', () => {
  it('is good as LevelDB writes it, large and small, compressed or not', async () => {
    for (const compression of [true, false]) {
      const directory = tempDirectory('table');
      const level = new ClassicLevel<string, string>(directory, { compression });
      await level.open();
      const random = seededRandom(3);
      for (let index = 0; index < 3000; index++)
        await level.put(`key${index}`, `${random()}`.repeat(index % 50) + 'a'.repeat(index % 700));
      await level.compactRange('', '~');
      await level.close();
      const tables = readdirSync(directory).filter((name) => name.endsWith('.ldb'));
      expect(tables.length).toBeGreaterThan(0);
      for (const name of tables) {
        const bytes = readFileSync(join(directory, name));
        expect(isGoodTable(bytes)).toBe(true);
        const salvaged = salvageTable(bytes);
        expect(isGoodTable(salvaged?.table ?? Buffer.alloc(0))).toBe(true);
      }
    }
  });

  it('is told from a damaged one, whatever bit that is read is another', async () => {
    const bytes = readFileSync(fileOf(await storeWithTable(), /\.ldb$/));
    // In the footer there are bytes between the handles and the magic number that nobody reads.
    const unread = bytes.length - 48;
    let missed = 0;
    for (let bit = 0; bit < bytes.length * 8; bit += 37) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (isGoodTable(flipped) && bit >> 3 < unread) missed++;
    }
    expect(missed).toBe(0);
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['its footer', (bytes) => Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8)])],
    ['its end', (bytes) => bytes.subarray(0, -100)],
    ['one of its blocks', (bytes) => Buffer.concat([Buffer.from([bytes.readUInt8(0) ^ 1]), bytes.subarray(1)])],
  ])('without %s gives its good blocks', async (what, damage) => {
    const directory = tempDirectory('table');
    const level = new ClassicLevel<string, string>(directory, { compression: false });
    await level.open();
    for (let index = 100; index < 200; index++) await level.put(`key${index}`, 'v'.repeat(500));
    await level.compactRange('', '~');
    await level.close();
    const bytes = readFileSync(fileOf(directory, /\.ldb$/));
    const salvaged = salvageTable(damage(bytes))?.table ?? Buffer.alloc(0);
    expect(isGoodTable(salvaged)).toBe(true);
    const found = new Set(salvaged.toString('latin1').match(/key1\d\d/g));
    expect(found.size).toBeGreaterThan(what === 'one of its blocks' ? 5 : 10);
  });
});

describe('a store', () => {
  it('with a damaged table keeps its good blocks, tells of it, and keeps the table', async () => {
    const directory = await storeWithTable();
    const table = fileOf(directory, /\.ldb$/);
    change(table, (bytes) => {
      bytes[10] = (bytes[10] ?? 0) ^ 1;
      return undefined;
    });
    const asFound = readFileSync(table);
    const { lines, told, damaged } = await readAll(directory);
    expect(told[0]).toContain('has blocks that cannot be read');
    expect(lines.length).toBeGreaterThanOrEqual(10);
    expect(LINES).toEqual(expect.arrayContaining(lines));
    expect(damaged === LINES.length - lines.length || told.length > 0).toBe(true);
    const copy = readdirSync(dirname(directory)).filter((name) => name.startsWith('store.damaged-'));
    expect(copy).toHaveLength(1);
    expect(readFileSync(join(dirname(directory), copy[0] ?? '', table.split('/').at(-1) ?? '')).equals(asFound)).toBe(
      true,
    );
    expect(await readAll(directory)).toMatchObject({ lines: [], told: [] });
  });

  it.each<[string, (directory: string) => void, RegExp]>([
    ['a log that is missing', (directory) => rmSync(fileOf(directory, /\.log$/)), /log \d+ is missing/],
    ['a table that is missing', (directory) => rmSync(fileOf(directory, /\.ldb$/)), /table \d+ is missing/],
    [
      'a log of nothing but zeros',
      (directory) => change(fileOf(directory, /\.log$/), (bytes) => Buffer.alloc(bytes.length)),
      /holds nothing but zeros/,
    ],
    [
      'zeros within a log',
      (directory) => change(fileOf(directory, /\.log$/), (bytes) => void bytes.fill(0, 700, 1212)),
      /has records that cannot be read/,
    ],
  ])('tells of %s, also after a crash', async (_, damage, reason) => {
    const directory = await storeWithTable();
    forgetClosing(directory);
    damage(directory);
    const { told } = await readAll(directory);
    expect(told.join()).toMatch(reason);
  });

  it('tells of a log that is shorter than when it was closed, at whatever record it ends', async () => {
    const directory = await storeWithTable();
    const log = fileOf(directory, /\.log$/);
    const size = statSync(log).size;
    change(log, (bytes) => bytes.subarray(0, Math.floor(size / 2)));
    const { told } = await readAll(directory);
    expect(told.join()).toMatch(/does not end as it did|is shorter than it was/);
  });

  it('is not taken for damaged after a first start that was cut short, zeroed ends and a torn MANIFEST', async () => {
    const directory = await storeWithTable();
    forgetClosing(directory);
    const cases: ((copy: string) => void)[] = [
      (copy) => appendFileSync(fileOf(copy, /\.log$/), Buffer.alloc(4096)),
      (copy) => change(fileOf(copy, /\.log$/), (bytes) => bytes.subarray(0, -3)),
      (copy) => appendFileSync(fileOf(copy, /^MANIFEST/), Buffer.from([1, 2, 3, 4, 50])),
    ];
    for (const [index, damage] of cases.entries()) {
      const copy = join(tempDirectory('torn'), 'store');
      cpSync(directory, copy, { recursive: true });
      damage(copy);
      const { told, lines } = await readAll(copy);
      expect(told, String(index)).toEqual([]);
      expect(lines.length).toBeGreaterThanOrEqual(LINES.length - 1);
    }
    for (const files of [['MANIFEST-000001'], ['MANIFEST-000001', '000003.log'], ['CURRENT']]) {
      const first = join(tempDirectory('first'), 'store');
      mkdirSync(first);
      for (const name of files) writeFileSync(join(first, name), name === 'CURRENT' ? 'MANIFEST-000001\n' : '');
      expect(await inspect(first, { all: false })).toBe('new');
      expect(await readAll(first)).toMatchObject({ lines: [], told: [] });
    }
  });

  it('that was repaired twice in vain is left alone, and says what to do; the first copy is never deleted', async () => {
    const directory = await storeWithTable();
    rmSync(join(directory, 'CURRENT'));
    const first = `${directory}.damaged-2020-01-01T00-00-00.000Z`;
    mkdirSync(first);
    vi.spyOn(ClassicLevel, 'repair').mockRejectedValue(
      Object.assign(new Error('Corruption: no'), { code: 'LEVEL_CORRUPTION' }),
    );
    for (let attempt = 0; attempt < 2; attempt++) await expect(Store.open(directory)).rejects.toThrow('Corruption: no');
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(Store.open(directory)).rejects.toThrow(/repaired 2 times in vain: .* Move the folder away/);
    }
    expect(existsSync(first)).toBe(true);
    expect(readdirSync(dirname(directory)).filter((name) => name.includes('.damaged-'))).toHaveLength(2);
    vi.restoreAllMocks();
    renameSync(directory, `${directory}-away`);
    expect(await readAll(directory)).toMatchObject({ lines: [] });
  });

  it('can be read by its owner only, its copies too', async () => {
    const directory = await storeWithTable();
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    change(fileOf(directory, /\.ldb$/), (bytes) => void bytes.fill(0, 10, 20));
    await readAll(directory);
    const [copy = ''] = readdirSync(dirname(directory)).filter((name) => name.includes('.damaged-'));
    expect(statSync(join(dirname(directory), copy)).mode & 0o777).toBe(0o700);
  });
});
