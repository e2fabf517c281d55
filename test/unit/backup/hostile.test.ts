import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { listCopies } from '../../../nodes/lib/backup/list';
import type { Manifest } from '../../../nodes/lib/backup/manifest';
import { restoreCopies } from '../../../nodes/lib/backup/restore';
import { verifyCopies } from '../../../nodes/lib/backup/verify';
import type { SeriesRows } from '../../../nodes/lib/influx/query';
import { MemorySource } from './memory-source';
import { backUpRaw, BUCKET, copiedLines, dayText, daysAgo, filesOf, filled, never, temporary } from './support';

function manifestPath(directory: string): string {
  return join(directory, BUCKET, 'manifest.json');
}

/** Writes a manifest whose sum fits, as whoever may write to the folder can. */
function forge(directory: string, change: (manifest: Manifest) => unknown): void {
  const path = manifestPath(directory);
  const { manifest } = JSON.parse(readFileSync(path, 'utf8')) as { manifest: Manifest };
  const content = JSON.stringify(change(manifest) ?? manifest);
  const sha256 = createHash('sha256').update(content).digest('hex');
  writeFileSync(path, `{"sha256":"${sha256}","manifest":${content}}`);
}

function dayOfManifest(manifest: Manifest, days: number) {
  const copy = manifest.days[dayText(days)];
  if (!copy) throw new Error('no copy of that day');
  return copy;
}

describe('a manifest that somebody else has written', () => {
  test('cannot have a file outside removed or renamed', async () => {
    const directory = temporary();
    const source = filled();
    await backUpRaw(source, directory);
    const outside = join(directory, 'outside.txt');
    writeFileSync(outside, 'precious');
    for (const file of ['../outside.txt', outside, `${dayText(5)}/../../outside.txt`, '..', 'manifest.json']) {
      forge(directory, (manifest) => {
        dayOfManifest(manifest, 5).file = file;
        dayOfManifest(manifest, 2).file = file;
      });
      const before = copiedLines(directory);
      const report = await backUpRaw(source, directory, { keep: 2 });
      expect(report.faults).toEqual([expect.stringContaining('is not the name of its copy')]);
      expect(readFileSync(outside, 'utf8')).toBe('precious');
      expect(before).toEqual(expect.arrayContaining(copiedLines(directory)));
      expect(report).not.toHaveProperty('error');
      await backUpRaw(source, directory);
    }
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('cannot name the copy of another day', async () => {
    const directory = temporary();
    await backUpRaw(filled(), directory);
    forge(directory, (manifest) => {
      manifest.days[dayText(1)] = dayOfManifest(manifest, 2);
    });
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified?.faults).toEqual([
      { reason: expect.stringContaining(`/days/${dayText(1)}/file is not the name`) as string },
    ]);
  });

  test.each<[string, (manifest: Manifest) => unknown]>([
    ['no days', (manifest) => ({ ...manifest, days: null })],
    ['days that are a list', (manifest) => ({ ...manifest, days: [] })],
    ['a day without a file', (manifest) => ({ ...manifest, days: { [dayText(1)]: {} } })],
    ['a day that is none', (manifest) => ({ ...manifest, days: { '2026-02-30': dayOfManifest(manifest, 1) } })],
    ['no manifest', () => 'text'],
    ['a number', () => 1],
    ['a time that is none', (manifest) => void (dayOfManifest(manifest, 1).checked = '2026-13-99T00:00:00Z')],
    ['hours that are none', (manifest) => void (dayOfManifest(manifest, 1).hours = [null])],
    ['very many levels', () => JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown],
  ])('with %s is refused with a reason, and made anew from the copies', async (_, change) => {
    const directory = temporary();
    const source = filled();
    await backUpRaw(source, directory);
    forge(directory, change);
    const files = filesOf(directory);
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified?.faults).toHaveLength(1);
    expect(verified?.faults[0]?.reason).toMatch(/is not a manifest|does not fit its own sum/);
    const report = await backUpRaw(source, directory);
    expect(report).toMatchObject({ faults: [expect.stringContaining('it was made anew')], copied: [] });
    expect(filesOf(directory)).toEqual(files);
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject({ days: 3, points: 30, faults: [] });
  });

  test('of many levels, or megabytes, takes no time', async () => {
    const directory = temporary();
    await backUpRaw(filled(), directory);
    const sum = '0'.repeat(64);
    for (const content of ['['.repeat(8_000_000), `"${'x'.repeat(40_000_000)}"`]) {
      writeFileSync(manifestPath(directory), `{"sha256":"${sum}","manifest":${content}}`);
      const [list] = await listCopies({ directory });
      expect(list?.fault).toMatch(/does not fit its own sum|has more than \d+ bytes/);
    }
  });

  test('of one bucket does not hide the others', async () => {
    const directory = temporary();
    await backUpRaw(filled(), directory);
    mkdirSync(join(directory, 'a'));
    writeFileSync(join(directory, 'a', 'manifest.json'), readFileSync(manifestPath(directory)));
    renameSync(join(directory, 'a'), join(directory, 'later'));
    const path = join(directory, 'later', 'manifest.json');
    const content = JSON.stringify({ version: 2 });
    const sha256 = createHash('sha256').update(content).digest('hex');
    writeFileSync(path, `{"sha256":"${sha256}","manifest":${content}}`);
    const reports = await verifyCopies({ directory, signal: never });
    expect(reports).toMatchObject([
      { bucket: 'later', faults: [{ reason: expect.stringContaining('later release') as string }] },
      { bucket: BUCKET, points: 30, faults: [] },
    ]);
  });
});

describe.skipIf(process.platform === 'win32')('what is no regular file', () => {
  const kinds: [string, (path: string, outside: string) => void][] = [
    ['a pipe', (path) => void execFileSync('mkfifo', [path])],
    ['a link', (path, outside) => symlinkSync(outside, path)],
    ['a link to a device', (path) => symlinkSync('/dev/zero', path)],
    ['a directory', (path) => mkdirSync(path)],
  ];

  test.each(kinds)('is not read as a copy: %s', async (_, make) => {
    const directory = temporary();
    const source = filled();
    await backUpRaw(source, directory);
    const [file = ''] = filesOf(directory);
    const outside = join(directory, 'secret.lp.gz');
    const path = join(directory, BUCKET, file);
    renameSync(path, outside);
    make(path, outside);
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified?.faults).toEqual([{ day: dayText(5), reason: `${file} is not a regular file` }]);
    await expect(restoreCopies({ directory, server: new MemorySource(), signal: never })).rejects.toThrow(
      'not a regular',
    );
    const bytes = readFileSync(outside);
    const report = await backUpRaw(source, directory);
    expect([...report.faults, report.error]).toContain(
      report.error === undefined ? `${file} is not a regular file` : report.error,
    );
    expect(readFileSync(outside)).toEqual(bytes);
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject(
      report.error === undefined ? { points: 30, faults: [] } : { points: 20 },
    );
  });

  test.each(kinds)('is no manifest: %s', async (_, make) => {
    const directory = temporary();
    const source = filled();
    await backUpRaw(source, directory);
    const outside = join(directory, 'outside.json');
    renameSync(manifestPath(directory), outside);
    make(manifestPath(directory), outside);
    const [list] = await listCopies({ directory });
    expect(list?.fault).toContain('is not a regular file');
    const bytes = readFileSync(outside);
    await backUpRaw(source, directory);
    expect(readFileSync(outside)).toEqual(bytes);
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('is not written through', async () => {
    const directory = temporary();
    const source = filled();
    await backUpRaw(source, directory);
    const outside = join(directory, 'outside');
    writeFileSync(outside, 'precious');
    const bucket = join(directory, BUCKET);
    source.add(`m v=1 ${daysAgo(1)}`);
    symlinkSync(outside, `${manifestPath(directory)}.partial`);
    symlinkSync(outside, join(bucket, `${dayText(1)}.lp.gz.partial`));
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(1)], faults: [] });
    expect(readFileSync(outside, 'utf8')).toBe('precious');
  });

  test('is no folder of a bucket', async () => {
    const directory = temporary();
    const elsewhere = temporary();
    await backUpRaw(filled(), elsewhere);
    symlinkSync(join(elsewhere, BUCKET), join(directory, BUCKET));
    const before = filesOf(elsewhere);
    const report = await backUpRaw(new MemorySource(), directory, { keep: 1 });
    expect(report.error).toContain('is not a directory, or a link to one');
    expect(filesOf(elsewhere)).toEqual(before);
  });
});

test('verify quotes nothing of what it reads', async () => {
  const directory = temporary();
  await backUpRaw(filled(), directory);
  const [file = ''] = filesOf(directory);
  for (const text of ['hunter2 password\n', `hunter2 v=1 12\n`, `hunter2 v=1 hunter2\n`, 'hunter2']) {
    writeFileSync(join(directory, BUCKET, file), gzipSync(text));
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified?.faults).toHaveLength(1);
    expect(JSON.stringify(verified)).not.toContain('hunter2');
  }
  writeFileSync(manifestPath(directory), 'hunter2');
  expect(JSON.stringify(await listCopies({ directory }))).not.toContain('hunter2');
});

test('a string of line breaks without an end is damage, and does not fill the memory', async () => {
  const directory = temporary();
  await backUpRaw(filled(), directory);
  const [file = ''] = filesOf(directory);
  const breaks = gzipSync(Buffer.alloc(1024 * 1024, '\n'));
  const bomb = Buffer.concat([gzipSync('m f="'), ...Array.from({ length: 200 }, () => breaks)]);
  writeFileSync(join(directory, BUCKET, file), bomb);
  const [verified] = await verifyCopies({ directory, signal: never });
  expect(verified?.faults).toEqual([{ day: dayText(5), reason: expect.stringContaining('does not end') as string }]);
});

test('a copy that goes on beyond what the manifest tells is not read to its end', async () => {
  const directory = temporary();
  await backUpRaw(filled(), directory);
  const [file = ''] = filesOf(directory);
  const lines = gzipSync(`m v=1 ${daysAgo(5)}\n`.repeat(100_000));
  writeFileSync(join(directory, BUCKET, file), Buffer.concat(Array.from({ length: 500 }, () => lines)));
  const [verified] = await verifyCopies({ directory, signal: never });
  expect(verified?.faults).toEqual([{ day: dayText(5), reason: `${file} has more than 10 points` }]);
});

test('of a server that has another address now the copies go on when that is said', async () => {
  const directory = temporary();
  const source = filled();
  await backUpRaw(source, directory);
  expect((await backUpRaw(source, directory, { place: 'new house' })).error).toContain('msg.confirm = "moved"');
  expect(await backUpRaw(source, directory, { place: 'new house', hasMoved: true })).toMatchObject({
    copied: [],
    faults: [],
  });
  source.add(`m v=1 ${daysAgo(2)}`);
  expect(await backUpRaw(source, directory, { place: 'new house' })).toMatchObject({ copied: [dayText(2)] });
  expect((await backUpRaw(source, directory)).error).toContain('another server');
});

test('an unsigned integer that is too large costs only itself', async () => {
  const source = new MemorySource();
  source.add(`m a=1i,b=2 ${daysAgo(1)}`);
  const query = source.query.bind(source);
  source.query = async function* (bucket, statement): AsyncGenerator<SeriesRows> {
    for await (const block of query(bucket, statement)) {
      const rows = block.rows.map((row) => row.map((value) => (value === 1n ? 2n ** 63n : value)));
      yield { ...block, rows };
    }
  };
  const directory = temporary();
  const omitted = { points: 0, fields: 1, reason: 'the field "a" of "m" is larger than 9223372036854775807' };
  expect(await backUpRaw(source, directory)).toMatchObject({ points: 1, omitted });
  expect(copiedLines(directory)).toEqual([`m b=2 ${daysAgo(1)}`]);
  expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], omitted });
});

test.skipIf(process.platform === 'win32')('nobody else can read copies', async () => {
  const directory = temporary();
  await backUpRaw(filled(), directory);
  expect(statSync(join(directory, BUCKET)).mode & 0o077).toBe(0);
  for (const file of filesOf(directory)) expect(lstatSync(join(directory, BUCKET, file)).mode & 0o077).toBe(0);
});

test('a manifest of the first release is read as it was', async () => {
  const directory = temporary();
  const source = filled();
  await backUpRaw(source, directory);
  const path = manifestPath(directory);
  const { manifest } = JSON.parse(readFileSync(path, 'utf8')) as { manifest: Manifest };
  // As it wrote it.
  const sha256 = createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
  rmSync(path);
  writeFileSync(path, JSON.stringify({ sha256, manifest }));
  const times = filesOf(directory).map((file) => statSync(join(directory, BUCKET, file)).ino);
  expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], faults: [], missing: 0 });
  expect(existsSync(path)).toBe(true);
  const copies = filesOf(directory).flatMap((file, index) => (file.endsWith('.gz') ? [index] : []));
  for (const index of copies) {
    expect(statSync(join(directory, BUCKET, filesOf(directory)[index] ?? '')).ino).toBe(times[index]);
  }
});
