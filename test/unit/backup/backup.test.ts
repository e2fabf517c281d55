import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyCopies } from '../../../nodes/lib/backup/verify';
import { listCopies } from '../../../nodes/lib/backup/list';
import { MemorySource } from './memory-source';
import {
  backUpRaw,
  copiedLines,
  DAY,
  dayText,
  daysAgo,
  filesOf,
  filled,
  HOUR,
  never,
  temporary,
  BUCKET,
} from './support';

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

describe('a backup', () => {
  test('holds every line, a day a file, and proves good', async () => {
    const source = filled();
    const directory = temporary();
    const report = await backUpRaw(source, directory);
    expect(report).toMatchObject({ points: 30, missing: 0, faults: [], removed: [] });
    expect(report.copied).toEqual([dayText(1), dayText(2), dayText(5)]);
    expect(copiedLines(directory)).toEqual(source.sorted());
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified).toEqual({ bucket: BUCKET, days: 3, points: 30, faults: [] });
    const [list] = await listCopies({ directory });
    expect(list).toMatchObject({ bucket: BUCKET, points: 30, bytes: report.bytes });
    const [day] = list?.days ?? [];
    expect(day).toMatchObject({ day: dayText(5), points: 10, first: `${daysAgo(5)}` });
    const bytes = readFileSync(join(directory, BUCKET, day?.file ?? ''));
    expect(day?.file).toContain(createHash('sha256').update(bytes).digest('hex').slice(0, 12));
  });

  test('copies nothing again that has not changed, and a day that has', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const files = filesOf(directory);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], points: 0 });
    expect(filesOf(directory)).toEqual(files);
    // The number of points is the same.
    source.add(`climate,device=a,site=x v=77 ${daysAgo(2) + 1n}`);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(2)], points: 10, missing: 0 });
    expect(copiedLines(directory)).toEqual(source.sorted());
    source.add(`late v=true ${daysAgo(4)}`);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(4)], points: 1 });
    expect(copiedLines(directory)).toEqual(source.sorted());
    expect((await backUpRaw(source, directory, { full: true })).copied).toHaveLength(4);
  });

  test('reads only the hours of a day again that have changed', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    source.add(`climate,device=a,site=x v=0.5 ${daysAgo(1) + 7n * HOUR}`);
    source.statements.length = 0;
    await backUpRaw(source, directory, { range: { from: daysAgo(1), to: daysAgo(0) } });
    const last = source.statements.at(-1);
    expect(last).toContain(`time >= ${daysAgo(1) + 7n * HOUR} AND time < ${daysAgo(1) + 8n * HOUR}`);
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('keeps points that InfluxDB does not have any more, with those that have come', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const before = source.sorted();
    source.remove((time) => time < daysAgo(1) + 6n * HOUR);
    const late = `climate,device=c,site=x v=3 ${daysAgo(1) + 20n * HOUR}`;
    source.add(late);
    const report = await backUpRaw(source, directory);
    expect(report).toMatchObject({ copied: [dayText(1)], missing: 24 });
    expect(copiedLines(directory)).toEqual([...before, late].sort());
    const again = await backUpRaw(source, directory);
    expect(again).toMatchObject({ copied: [], missing: 24 });
    const shrunk = await backUpRaw(source, directory, { shrink: true });
    expect(shrunk).toMatchObject({ missing: 0 });
    expect(copiedLines(directory)).toEqual(source.sorted());
    expect((await listCopies({ directory }))[0]?.days.map(({ day }) => day)).toEqual([dayText(1)]);
  });

  test('does not take points that have expired for missing', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    source.remove((time) => time < daysAgo(1));
    const buckets = new Map([[BUCKET, { retention: 86_400 }]]);
    const before = copiedLines(directory);
    expect(await backUpRaw(source, directory, { buckets, range: { from: daysAgo(3) } })).toMatchObject({ missing: 0 });
    expect(copiedLines(directory)).toEqual(before);
  });

  test('of the day that goes on grows', async () => {
    const source = new MemorySource();
    const directory = temporary();
    source.add(`m v=1 ${daysAgo(0)}`);
    await backUpRaw(source, directory);
    expect((await backUpRaw(source, directory)).copied).toEqual([]);
    source.add(`m v=1 ${daysAgo(0) + 1n}`);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(0)], points: 2 });
    expect(filesOf(directory)).toHaveLength(2);
  });

  test('keeps types apart that differ between shards', async () => {
    const source = new MemorySource();
    const directory = temporary();
    source.add(`m v=1 ${daysAgo(1)}`, `m v="x" ${daysAgo(1) + 2n * HOUR}`);
    await backUpRaw(source, directory);
    await backUpRaw(source, directory, { full: true });
    for (const statement of source.statements.filter((text) => text.startsWith('SELECT'))) {
      const [, from = '', to = ''] = /time >= (\d+) AND time < (\d+)/.exec(statement) ?? [];
      expect(BigInt(to) - BigInt(from)).toBe(HOUR);
    }
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('says what line protocol cannot carry', async () => {
    const source = new MemorySource();
    source.add(`m v=1 ${daysAgo(1)}`, `m v=2 ${daysAgo(1) + 1n}`);
    const query = source.query.bind(source);
    source.query = async function* (bucket, statement) {
      for await (const block of query(bucket, statement)) {
        if (block.times[0] === daysAgo(1)) yield { ...block, rows: [[2n ** 64n - 1n]] };
        else yield block;
      }
    };
    const directory = temporary();
    const omitted = {
      points: 1,
      fields: 0,
      reason: expect.stringContaining('larger than 9223372036854775807') as string,
    };
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(1)], points: 1, omitted });
    // Each time, until the point is gone: when nothing has changed, when another hour has, and when all is copied anew.
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], omitted });
    source.add(`m v=3 ${daysAgo(1) + 5n * HOUR}`);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(1)], omitted });
    expect(await backUpRaw(source, directory, { full: true })).toMatchObject({ copied: [dayText(1)], omitted });
    source.remove((time) => time !== daysAgo(1));
    expect(await backUpRaw(source, temporary())).toMatchObject({ copied: [], omitted });
    source.remove(() => true);
    expect((await backUpRaw(source, directory)).omitted).toBeUndefined();
  });

  test('says what InfluxDB does not give out, and copies the rest', async () => {
    const source = new MemorySource();
    const time = daysAgo(1);
    source.add(`_series v=1 ${time}`, `m1 _name=1 ${time}`, `m2,_t=x _tagKey=1,w=2 ${time}`, `m3 v=1 ${time}`);
    const directory = temporary();
    const report = await backUpRaw(source, directory);
    expect(report.unreadable).toEqual([
      { measurement: '_series', reason: expect.stringContaining('the measurement "_series"') as string },
      { measurement: 'm1', reason: expect.stringContaining('of "m1" the field "_name"') as string },
      { measurement: 'm2', reason: expect.stringContaining('of "m2" the field "_tagKey"') as string },
    ]);
    expect(report.error).toBeUndefined();
    expect(copiedLines(directory)).toEqual([`m2,_t=x w=2 ${time}`, `m3 v=1 ${time}`]);
  });

  test('takes no row that was not asked for', async () => {
    const source = new MemorySource();
    source.add(`m v=1 ${daysAgo(1)}`);
    const query = source.query.bind(source);
    source.query = async function* (bucket, statement) {
      for await (const block of query(bucket, statement)) {
        yield block.times.length === 0
          ? block
          : { ...block, times: [0n, ...block.times], rows: [['m'], ...block.rows] };
      }
    };
    const directory = temporary();
    const report = await backUpRaw(source, directory);
    expect(report.omitted).toEqual({
      points: 1,
      fields: 0,
      reason: expect.stringContaining('not asked for') as string,
    });
    expect(copiedLines(directory)).toEqual(source.sorted());
  });
});

test('the copies of another bucket are left alone, where a file system takes both names for one', async () => {
  const source = filled();
  const directory = temporary();
  await backUpRaw(source, directory);
  renameSync(join(directory, BUCKET), join(directory, 'RAW'));
  const files = readdirSync(join(directory, 'RAW'));
  const report = await backUpRaw(source, directory, { buckets: new Map([['RAW', { retention: 10 * 86_400 }]]) });
  expect(report).toMatchObject({
    copied: [],
    error: expect.stringContaining('the copies of the bucket "raw"') as string,
  });
  expect(readdirSync(join(directory, 'RAW'))).toEqual(files);
});

describe('damage', () => {
  const faults: [string, (path: string) => void, RegExp][] = [
    ['a flipped bit', (path) => flip(path, 40), /damaged|sum|no line/],
    ['a flipped bit in the header', (path) => flip(path, 4), /sum/],
    ['a truncated file', (path) => truncateSync(path, 60), /cut off/],
    ['an empty file', (path) => truncateSync(path, 0), /cut off|sum/],
    ['a missing file', (path) => rmSync(path), /missing/],
  ];

  test.each(faults)('%s is found by verify, and the next full backup makes a good copy', async (_, damage, reason) => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const file = filesOf(directory).find((name) => name.startsWith(dayText(2))) ?? '';
    damage(join(directory, BUCKET, file));
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified).toMatchObject({ days: 2, points: 20 });
    expect(verified?.faults).toEqual([{ day: dayText(2), reason: expect.stringMatching(reason) as string }]);
    expect(verified?.faults[0]?.reason).toContain(file);
    await backUpRaw(source, directory, { full: true });
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject({ days: 3, faults: [] });
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('a copy that is cut off is made again by any backup, and one that is needed is put by', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const files = filesOf(directory);
    const [oldest = ''] = files;
    truncateSync(join(directory, BUCKET, oldest), 50);
    const second = files[1] ?? '';
    flip(join(directory, BUCKET, second), 40);
    source.add(`climate,device=a,site=x v=0.5 ${daysAgo(2)}`);
    const report = await backUpRaw(source, directory);
    expect(report.copied).toEqual([dayText(2), dayText(5)]);
    expect(report.faults).toHaveLength(2);
    expect(filesOf(directory)).toContain(`${second}.damaged`);
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject({ days: 3, faults: [] });
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('is mended by the next backup, though nothing has changed', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const file = filesOf(directory)[1] ?? '';
    flip(join(directory, BUCKET, file), 40);
    const report = await backUpRaw(source, directory);
    expect(report.copied).toEqual([dayText(2)]);
    expect(report.faults).toEqual([expect.stringContaining(file)]);
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject({ days: 3, points: 30, faults: [] });
    expect(copiedLines(directory)).toEqual(source.sorted());
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], faults: [] });
  });

  test('stays where it is when InfluxDB has nothing to mend it', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const files = filesOf(directory);
    flip(join(directory, BUCKET, files[1] ?? ''), 40);
    source.remove(() => true);
    expect((await backUpRaw(source, directory)).faults).toEqual([expect.stringContaining(files[1] ?? '')]);
    expect(filesOf(directory)).toEqual(files);
  });

  test.each([
    ['missing', (path: string) => rmSync(path)],
    ['damaged', (path: string) => flip(path, 100)],
    ['cut off', (path: string) => truncateSync(path, 100)],
  ])('a manifest that is %s is found, and made anew from the files', async (_, damage) => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const files = filesOf(directory);
    damage(join(directory, BUCKET, 'manifest.json'));
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified?.faults).toHaveLength(1);
    // All that InfluxDB had is gone: the copies must outlive that.
    const before = source.sorted();
    source.remove(() => true);
    await backUpRaw(source, directory);
    expect(filesOf(directory)).toEqual(files);
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject({ days: 3, points: 30, faults: [] });
    expect(copiedLines(directory)).toEqual(before);
  });
});

describe('a file that the manifest does not name', () => {
  test('is adopted when it is all that there is of its day', async () => {
    const source = new MemorySource();
    const directory = temporary();
    source.add(`m v=1 ${daysAgo(3)}`);
    await backUpRaw(source, directory);
    const path = join(directory, BUCKET, 'manifest.json');
    const older = readFileSync(path);
    source.add(`m v=1 ${daysAgo(2)}`);
    await backUpRaw(source, directory);
    const before = copiedLines(directory);
    writeFileSync(path, older);
    source.remove(() => true);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], faults: [], missing: 2 });
    expect(copiedLines(directory)).toEqual(before);
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject({ days: 2, points: 2, faults: [] });
  });

  test('is adopted when the one that is named is gone', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const path = join(directory, BUCKET, 'manifest.json');
    const older = readFileSync(path);
    source.add(`late v=true ${daysAgo(2)}`);
    await backUpRaw(source, directory);
    writeFileSync(path, older);
    const before = source.sorted();
    source.remove(() => true);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], faults: [], missing: 31 });
    expect(copiedLines(directory)).toEqual(before);
  });

  test('goes when its day has another one', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const files = filesOf(directory);
    writeFileSync(join(directory, BUCKET, `${dayText(2)}.000000000000.lp.gz`), 'whatever');
    await backUpRaw(source, directory);
    expect(filesOf(directory)).toEqual(files);
  });
});

describe('what is kept', () => {
  test('are the latest days, and no others are copied', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    expect(await backUpRaw(source, directory, { keep: 2 })).toMatchObject({ removed: [dayText(5)], copied: [] });
    expect(filesOf(directory)).toHaveLength(3);
    expect(await backUpRaw(source, directory, { keep: 2 })).toMatchObject({ removed: [], copied: [], days: 4 });
    source.add(`m v=1 ${daysAgo(0)}`);
    const report = await backUpRaw(source, directory, { keep: 2 });
    expect(report).toMatchObject({ removed: [dayText(2)], copied: [dayText(0)] });
    expect(await backUpRaw(source, directory, { keep: -1 })).toMatchObject({ removed: [] });
  });

  test('is the last good copy in any case', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    for (const days of [1, 2]) {
      const file = filesOf(directory).find((name) => name.startsWith(dayText(days))) ?? '';
      flip(join(directory, BUCKET, file), 40);
    }
    // Or they would be mended.
    source.remove(() => true);
    const report = await backUpRaw(source, directory, { keep: 1 });
    expect(report.removed).toEqual([dayText(2)]);
    expect((await listCopies({ directory }))[0]?.days.map(({ day }) => day)).toEqual([dayText(5), dayText(1)]);
  });

  test('stays as it is when the backup failed', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    source.before = () => {
      throw new Error('InfluxDB is away');
    };
    expect(await backUpRaw(source, directory, { keep: 1 })).toMatchObject({ removed: [] });
    expect(filesOf(directory)).toHaveLength(4);
  });
});

test('days are those of UTC, before 1970 too', async () => {
  const source = new MemorySource();
  const directory = temporary();
  source.add('m v=1 -1', 'm v=2 0', `m v=3 ${-DAY}`, `m v=4 ${-DAY - 1n}`);
  const report = await backUpRaw(source, directory, { range: { from: -2n * DAY, to: 1n } });
  expect(report.copied).toEqual(['1970-01-01', '1969-12-31', '1969-12-30']);
  expect(copiedLines(directory)).toEqual(source.sorted());
});
