import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PointQueue } from '../../nodes/lib/store/queue';
import { Store } from '../../nodes/lib/store/store';
import { rounds, seed, seededRandom } from '../support/campaign';
import { atEndOfFile } from '../support/cleanup';
import { run, startChild, type Child } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const root = join(import.meta.dirname, '../..');
const isRoot = process.getuid?.() === 0;
const opened: { close(): Promise<void> }[] = [];
let childScript = '';

beforeAll(async () => {
  childScript = join(tempDirectory('store-child'), 'child.cjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'store-child.ts')],
    outfile: childScript,
    bundle: true,
    platform: 'node',
    external: ['classic-level'],
  });
});

afterEach(closeAll);

async function closeAll(): Promise<void> {
  for (let last = opened.pop(); last; last = opened.pop()) await last.close();
}

async function open(directory: string): Promise<{ store: Store; queue: PointQueue }> {
  const store = await Store.open(directory, { retryMilliseconds: 20 });
  opened.push(store);
  // Damage may be found only now; the store repairs itself meanwhile, and whoever wants the queue tries again.
  const queue = await until('the queue is open', () => PointQueue.open(store, 'server', { limitBytes: 1e9 }));
  opened.push(queue);
  return { store, queue };
}

function accept(queue: PointQueue, line: string, bucket = 'raw'): Promise<Error | undefined> {
  return new Promise((resolve) => queue.accept(bucket, 'sensor', 'w1', line, resolve));
}

async function drain(queue: PointQueue, bucket = 'raw'): Promise<string[]> {
  const lines: string[] = [];
  for (let chunks = await queue.take(bucket, 5000); chunks.length > 0; chunks = await queue.take(bucket, 5000)) {
    lines.push(...chunks.flatMap((chunk) => chunk.lines()));
    await queue.remove(chunks);
  }
  return lines;
}

function imbalance(queue: PointQueue): number {
  const { accepted, recovered, written, refused, dropped, damaged, queuedPoints } = queue.totals();
  return accepted + recovered - written - refused - dropped - damaged - queuedPoints;
}

function startStoreChild(directory: string, first: number): Promise<Child> {
  const env = { ...process.env, NODE_PATH: join(root, 'node_modules') };
  return startChild(process.execPath, [childScript, directory, String(first)], { env, name: 'store child' });
}

/** A file system of its own in memory, of so many megabytes, unmounted at the end. */
async function mountTmpfs(megabytes: number): Promise<string> {
  if (!isRoot)
    throw new Error('This test mounts a small tmpfs: run it as root, with the right to mount (CAP_SYS_ADMIN).');
  const directory = tempDirectory('tmpfs');
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory]);
  atEndOfFile(async () => {
    await closeAll();
    await run('umount', [directory]);
  });
  return directory;
}

describe('a process that is killed while it accepts points', () => {
  it('has every point that it had confirmed', { timeout: 600_000 }, async () => {
    const random = seededRandom(seed);
    const directory = join(tempDirectory('killed'), 'store');
    const confirmed = new Set<string>();
    const written = new Set<string>();
    let first = 0;
    for (let round = 0; round < rounds(12, 50); round++) {
      const child = await startStoreChild(directory, first);
      await until('it accepts points', () => child.output().includes('stored '));
      const more = Math.floor(random() * 4000);
      const mark = child.mark();
      await until('it has gone on for a while', () => child.mark() - mark > more * 15, Boolean, { interval: 1 });
      await child.kill();
      for (const text of child.output().split('\n').slice(0, -1)) {
        const [, word, rest = ''] = /^(open|stored|written)(?: (.*))?$/.exec(text) ?? [];
        expect(word, text).toBeDefined();
        if (word === 'stored') confirmed.add(rest);
        if (word === 'written') for (const line of rest.split(';')) written.add(line);
      }
      first += 1_000_000;
    }
    const { queue } = await open(directory);
    for (const line of await drain(queue)) written.add(line);
    expect(confirmed.size).toBeGreaterThan(1000);
    expect([...confirmed].filter((line) => !written.has(line))).toEqual([]);
    expect(queue.totals()).toMatchObject({ damaged: 0, queuedPoints: 0 });
  });
});

describe('a second process', () => {
  it('is told that the folder is in use, and does no harm', async () => {
    const directory = join(tempDirectory('second'), 'store');
    const { queue } = await open(directory);
    await accept(queue, 'm v=1 1');
    const child = await startStoreChild(directory, 0);
    expect((await child.exited).code).toBe(1);
    expect(child.output()).toContain('ended store-unavailable');
    expect(child.output()).toContain(`The store in ${directory} cannot be used: another process is using it`);
    expect(await accept(queue, 'm v=2 2')).toBeUndefined();
    await closeAll();
    expect(await drain((await open(directory)).queue)).toEqual(['m v=1 1', 'm v=2 2']);
  });

  it('that finds the files in disorder leaves them alone while they are in use', async () => {
    const directory = join(tempDirectory('second'), 'store');
    const { queue } = await open(directory);
    await accept(queue, 'm v=1 1');
    rmSync(join(directory, 'CURRENT'));
    const child = await startStoreChild(directory, 0);
    await child.exited;
    expect(child.output()).toContain('another process is using it');
    expect(await drain(queue)).toEqual(['m v=1 1']);
    expect(readdirSync(dirname(directory))).toEqual(['store']);
  });

  it('gets the folder when the first one is killed', async () => {
    const directory = join(tempDirectory('second'), 'store');
    const child = await startStoreChild(directory, 0);
    await until('it accepts points', () => child.output().includes('stored '));
    await expect(Store.open(directory)).rejects.toMatchObject({ code: 'store-unavailable' });
    await child.kill();
    const { store, queue } = await open(directory);
    expect(store.fault).toBeUndefined();
    expect(await accept(queue, 'm v=1 1')).toBeUndefined();
  });
});

describe('a folder that cannot be written to', () => {
  it('is named in the error, and everything is there when it can be written to again', async () => {
    const mounted = await mountTmpfs(32);
    const directory = join(mounted, 'store');
    await accept((await open(directory)).queue, 'm v=1 1');
    await closeAll();
    // As root, modes forbid nothing.
    await run('mount', ['-o', 'remount,ro', mounted]);
    const error: unknown = await Store.open(directory).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'store-unavailable' });
    expect(String(error)).toContain(`The store in ${directory} cannot be used`);
    expect(String(error)).toMatch(/read-only file system/i);
    await expect(Store.open(join(mounted, 'new'))).rejects.toMatchObject({ code: 'store-unavailable' });
    await run('mount', ['-o', 'remount,rw', mounted]);
    expect(await drain((await open(directory)).queue)).toEqual(['m v=1 1']);
  });
});

describe('a disk that is full', () => {
  /** Lines that cannot be compressed, so that they fill the disk as expected. */
  function burst(queue: PointQueue, random: () => number, confirmed: Set<string>): Promise<(Error | undefined)[]> {
    const lines = Array.from({ length: 1000 }, () => {
      const text = Array.from({ length: 200 }, () => random().toString(36).slice(2)).join('');
      return `m v="${text}" 1`;
    });
    return Promise.all(
      lines.map(async (line) => {
        const error = await accept(queue, line);
        if (error === undefined) confirmed.add(line);
        return error;
      }),
    );
  }

  it('takes no more points in time, so that it can be drained, and goes on then', async () => {
    const random = seededRandom(seed);
    const mounted = await mountTmpfs(160);
    const { queue } = await open(join(mounted, 'store'));
    const confirmed = new Set<string>();
    const refused = await until('it is full', async () =>
      (await burst(queue, random, confirmed)).find((error) => error !== undefined),
    );
    expect(refused).toMatchObject({ code: 'store-unavailable' });
    expect(refused?.message).toContain('MB are free on the disk');
    expect(queue.totals().queuedPoints).toBe(confirmed.size);
    expect(new Set(await drain(queue))).toEqual(confirmed);
    await until('it takes points again', async () => (await accept(queue, 'm v=1 1')) === undefined);
    expect(imbalance(queue)).toBe(0);
  });

  it('filled by others fails the points that come, loses none that it had, and recovers by itself', async () => {
    const random = seededRandom(seed);
    const mounted = await mountTmpfs(32);
    const { queue } = await open(join(mounted, 'store'));
    const confirmed = new Set<string>();
    await burst(queue, random, confirmed);
    expect(confirmed.size).toBe(1000);
    const filler = join(mounted, 'filler');
    await run('sh', ['-c', `dd if=/dev/zero of=${filler} bs=4096 2>/dev/null || true`]);
    const failed = await burst(queue, random, confirmed);
    expect(failed.filter((error) => error === undefined)).toEqual([]);
    expect(failed[0]).toMatchObject({ code: 'store-unavailable' });
    expect(failed[0]?.message).toMatch(/No space left on device|MB are free on the disk/);
    expect(queue.totals()).toMatchObject({ accepted: 1000, failed: 1000, queuedPoints: 1000 });
    rmSync(filler);
    await until('it takes points again', async () => (await accept(queue, 'm v=1 1')) === undefined);
    const lines = new Set<string>();
    await until('everything is read', async () => {
      for (const line of await drain(queue)) lines.add(line);
      return queue.totals().queuedPoints === 0;
    });
    expect([...confirmed].filter((line) => !lines.has(line))).toEqual([]);
    expect(imbalance(queue)).toBe(0);
  });
});

describe('a store whose files are damaged', () => {
  const BUCKETS = ['one', 'two'];
  let template = '';
  const stored = new Map<string, string[]>();

  /** Two tables, and a log of several blocks; the lines cannot be compressed, so that places in the files are places in them. */
  beforeAll(async () => {
    const random = seededRandom(7);
    const text = (): string => Array.from({ length: 12 }, () => random().toString(36).slice(2)).join('');
    template = join(tempDirectory('template'), 'store');
    const { store, queue } = await open(template);
    for (let part = 0; part < 3; part++) {
      for (let count = 0; count < 100; count++) {
        for (const bucket of BUCKETS) {
          const lines = Array.from({ length: 5 }, (_, index) => `m v="${text()}" ${part}${count}${index}`);
          stored.set(bucket, [...(stored.get(bucket) ?? []), ...lines]);
          await Promise.all(lines.map((line) => accept(queue, line, bucket)));
        }
      }
      if (part < 2) await store.compact({ gte: '', lt: '~' });
    }
    await closeAll();
  }, 60_000);

  function damagedCopy(damage: (directory: string) => void): string {
    const directory = join(tempDirectory('damaged'), 'store');
    mkdirSync(directory);
    for (const file of readdirSync(template)) copyFileSync(join(template, file), join(directory, file));
    damage(directory);
    return directory;
  }

  function fileOf(directory: string, kind: RegExp): string {
    const files = readdirSync(directory).filter((name) => kind.test(name));
    // The largest: what was there last may be nearly empty.
    files.sort((one, two) => statSync(join(directory, two)).size - statSync(join(directory, one)).size);
    return join(directory, files[0] ?? '');
  }

  const cut = (file: string, part: number): void => {
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * part)));
  };

  const flip = (file: string, part: number): void => {
    const bytes = readFileSync(file);
    const at = Math.floor(bytes.length * part);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x11, at);
    writeFileSync(file, bytes);
  };

  /** Opens it, takes all that can be read while it repairs itself, and compares with what was stored. */
  async function readAll(directory: string): Promise<{ missing: number; damaged: number; copies: string[] }> {
    const { store, queue } = await open(directory);
    const reports: string[] = [];
    store.listen({ damaged: ({ copy }) => reports.push(copy) });
    const found = new Map<string, string[]>(BUCKETS.map((bucket) => [bucket, []]));
    await until('everything is read', async () => {
      for (const bucket of BUCKETS) found.get(bucket)?.push(...(await drain(queue, bucket)));
      return queue.totals().queuedPoints === 0;
    });
    expect(imbalance(queue)).toBe(0);
    let missing = 0;
    for (const bucket of BUCKETS) {
      const before = stored.get(bucket) ?? [];
      const after = new Set(found.get(bucket));
      // Nothing altered, nothing of another bucket.
      expect([...after].filter((line) => !before.includes(line))).toEqual([]);
      missing += before.filter((line) => !after.has(line)).length;
    }
    expect(await accept(queue, 'm v=1 1', 'one')).toBeUndefined();
    expect(await drain(queue, 'one')).toEqual(['m v=1 1']);
    for (const copy of reports) {
      expect(dirname(copy)).toBe(dirname(store.directory));
      expect(basename(copy)).toMatch(/^store\.damaged-\d{4}-\d\d-\d\dT/);
      expect(existsSync(copy)).toBe(true);
    }
    return { missing, damaged: queue.totals().damaged, copies: reports };
  }

  it('is as it was when nothing was damaged', async () => {
    expect(await readAll(damagedCopy(() => undefined))).toEqual({ missing: 0, damaged: 0, copies: [] });
  });

  const CURRENT = /^CURRENT$/;
  const MANIFEST = /^MANIFEST-/;

  it.each<[string, (directory: string) => void]>([
    ['CURRENT is missing', (directory) => rmSync(join(directory, 'CURRENT'))],
    ['CURRENT is empty', (directory) => cut(fileOf(directory, CURRENT), 0)],
    ['CURRENT is cut off', (directory) => cut(fileOf(directory, CURRENT), 0.5)],
    ['CURRENT is changed', (directory) => flip(fileOf(directory, CURRENT), 0.7)],
    ['MANIFEST is missing', (directory) => rmSync(fileOf(directory, MANIFEST))],
    ['MANIFEST is empty', (directory) => cut(fileOf(directory, MANIFEST), 0)],
    ['MANIFEST is cut off early', (directory) => cut(fileOf(directory, MANIFEST), 0.3)],
    ['MANIFEST is cut off late', (directory) => cut(fileOf(directory, MANIFEST), 0.9)],
    ['MANIFEST is changed', (directory) => flip(fileOf(directory, MANIFEST), 0.5)],
  ])('has lost nothing when %s, and keeps a copy', async (_, damage) => {
    const { missing, damaged, copies } = await readAll(damagedCopy(damage));
    expect({ missing, damaged, copies: copies.length }).toEqual({ missing: 0, damaged: 0, copies: 1 });
  });

  it.each([0.2, 0.4, 0.6])('counts what a log has lost that was changed at %d, and keeps a copy', async (part) => {
    const { missing, damaged, copies } = await readAll(
      damagedCopy((directory) => flip(fileOf(directory, /\.log$/), part)),
    );
    expect(missing).toBeGreaterThan(0);
    expect(missing).toBeLessThan(500);
    expect(damaged).toBe(missing);
    expect(copies).toHaveLength(1);
  });

  it('has what was stored before the place where a log was cut off', async () => {
    const { missing } = await readAll(damagedCopy((directory) => cut(fileOf(directory, /\.log$/), 0.5)));
    // A log that ends early is what a crash leaves: nothing tells the two apart.
    expect(missing).toBeGreaterThan(0);
    expect(missing).toBeLessThan(700);
  });

  it.each<[string, (file: string) => void]>([
    ['missing', (file) => rmSync(file)],
    ['empty', (file) => cut(file, 0)],
    ['cut off', (file) => cut(file, 0.5)],
    ['cut off at its end', (file) => cut(file, 0.999)],
  ])('counts what it has lost when a table is %s, and keeps a copy', async (_, damage) => {
    const { missing, damaged, copies } = await readAll(damagedCopy((directory) => damage(fileOf(directory, /\.ldb$/))));
    expect(damaged).toBe(missing);
    expect(copies.length).toBeGreaterThan(0);
  });

  it('counts what it has lost when a table is changed anywhere', async () => {
    const random = seededRandom(seed);
    let lost = 0;
    for (let round = 0; round < rounds(12, 100); round++) {
      const part = random();
      const { missing, damaged } = await readAll(damagedCopy((directory) => flip(fileOf(directory, /\.ldb$/), part)));
      expect(damaged, `changed at ${part}`).toBe(missing);
      lost += missing;
      await closeAll();
    }
    expect(lost).toBeGreaterThan(0);
  });
});
