import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { listCopies } from '../../../nodes/lib/backup/list';
import { openRegular } from '../../../nodes/lib/backup/regular-file';
import { verifyCopies } from '../../../nodes/lib/backup/verify';
import { MemorySource } from './memory-source';
import { backUpRaw, BUCKET, copiedLines, dayText, daysAgo, filesOf, HOUR, never, temporary } from './support';

vi.mock(import('../../../nodes/lib/backup/regular-file'), async (original) => {
  const files = await original();
  return { ...files, openRegular: vi.fn(files.openRegular) };
});

afterEach(() => vi.mocked(openRegular).mockReset());

/** The copies cannot be read for the moment. */
function failWith(code: string): void {
  const createReadStream = () =>
    new Readable({
      read() {
        this.destroy(Object.assign(new Error(`${code}: read`), { code }));
      },
    });
  vi.mocked(openRegular).mockImplementation(() => Promise.resolve({ createReadStream } as never));
}

function hourly(): MemorySource {
  const source = new MemorySource();
  for (let hour = 0n; hour < 24n; hour++) source.add(`m v=1 ${daysAgo(2) + hour * HOUR}`);
  return source;
}

describe.each(['EIO', 'EACCES', 'EMFILE', 'ESTALE'])('a copy that cannot be read for the moment (%s)', (code) => {
  test('is not replaced by one that holds less', async () => {
    const source = hourly();
    const directory = temporary();
    await backUpRaw(source, directory);
    const before = copiedLines(directory);
    const files = filesOf(directory);
    source.remove((time) => time < daysAgo(2) + 20n * HOUR);
    source.add(`m v=9 ${daysAgo(2) + 23n * HOUR + 77n}`);
    failWith(code);
    const report = await backUpRaw(source, directory);
    expect(report).toMatchObject({ copied: [], faults: [], error: expect.stringContaining(code) as string });
    expect(report.error).toContain(files[0]);
    expect(filesOf(directory)).toEqual(files);
    expect(copiedLines(directory)).toEqual(before);
  });

  test('is not put by when the manifest is made anew', async () => {
    const directory = temporary();
    await backUpRaw(hourly(), directory);
    const files = filesOf(directory);
    rmSync(join(directory, BUCKET, 'manifest.json'));
    failWith(code);
    const report = await backUpRaw(new MemorySource(), directory);
    expect(report).toMatchObject({ error: expect.stringContaining(code) as string });
    vi.mocked(openRegular).mockReset();
    expect(await backUpRaw(new MemorySource(), directory)).toMatchObject({ faults: [] });
    expect(filesOf(directory)).toEqual(files);
    expect((await listCopies({ directory }))[0]?.points).toBe(24);
  });

  test('is a fault that verify tells', async () => {
    const directory = temporary();
    await backUpRaw(hourly(), directory);
    failWith(code);
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified?.faults).toEqual([{ day: dayText(2), reason: expect.stringContaining(code) as string }]);
  });
});

test('a line that does not end is damage, and is not read to its end', async () => {
  const directory = temporary();
  await backUpRaw(hourly(), directory);
  const path = join(directory, BUCKET, filesOf(directory)[0] ?? '');
  writeFileSync(path, gzipSync(`m s="${'x'.repeat(70_000_000)}`, { level: 1 }));
  const [verified] = await verifyCopies({ directory, signal: never });
  expect(verified?.faults).toEqual([{ day: dayText(2), reason: expect.stringContaining('does not end') as string }]);
});

test('a line without a time is damage', async () => {
  const source = hourly();
  const directory = temporary();
  await backUpRaw(source, directory);
  const path = join(directory, BUCKET, filesOf(directory)[0] ?? '');
  const { length } = readFileSync(path);
  // Of the same size, so that only reading it tells.
  const text = gzipSync('m v=1 x\n');
  writeFileSync(path, Buffer.concat([text, Buffer.alloc(length - text.length)]));
  source.add(`m v=9 ${daysAgo(2) + 23n * HOUR + 77n}`);
  const report = await backUpRaw(source, directory);
  expect(report.faults).toEqual([expect.stringContaining('without a time')]);
  expect(copiedLines(directory)).toEqual(source.sorted());
});

test('a folder that cannot be read is not left out', async () => {
  const directory = temporary();
  await backUpRaw(hourly(), directory);
  writeFileSync(join(directory, 'a note'), '');
  expect(await listCopies({ directory })).toHaveLength(1);
  // Even root cannot read this one.
  symlinkSync('loop', join(directory, 'loop'));
  const fault = expect.stringContaining('is not a directory') as string;
  const [loop, raw] = await verifyCopies({ directory, signal: never });
  expect(loop).toMatchObject({ bucket: 'loop', faults: [{ reason: fault }] });
  expect(raw).toMatchObject({ bucket: BUCKET, points: 24, faults: [] });
  expect(await listCopies({ directory })).toMatchObject([{ bucket: 'loop', fault }, { bucket: BUCKET }]);
});
