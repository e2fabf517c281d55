import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { restoreCopies, type RestoreOptions, type RestoreReport } from '../../../nodes/lib/backup/restore';
import { MemorySource } from './memory-source';
import { backUpRaw, BUCKET, dayText, daysAgo, filesOf, never, temporary } from './support';

const COUNT = 350;

async function backedUp(): Promise<{ directory: string; lines: string[] }> {
  const source = new MemorySource();
  for (const days of [1, 2]) {
    for (let index = 0; index < COUNT; index++) {
      source.add(`m,d=x s="a\nb ${index}",v=${index} ${daysAgo(days) + BigInt(index)}`);
    }
  }
  const directory = temporary();
  await backUpRaw(source, directory);
  return { directory, lines: source.sorted() };
}

async function restore(
  directory: string,
  server: MemorySource,
  more: Partial<RestoreOptions> = {},
): Promise<RestoreReport> {
  const [report] = await restoreCopies({ directory, server, bucket: BUCKET, signal: never, ...more });
  if (!report) throw new Error('no report');
  return report;
}

describe('restore', () => {
  test('writes every line back', async () => {
    const { directory, lines } = await backedUp();
    const server = new MemorySource();
    const report = await restore(directory, server);
    expect(report).toEqual({
      bucket: BUCKET,
      into: BUCKET,
      days: [dayText(2), dayText(1)],
      points: 2 * COUNT,
      written: 2 * COUNT,
      refused: 0,
      refusals: [],
    });
    expect(server.sorted()).toEqual(lines);
  });

  test('writes nothing in a dry run', async () => {
    const { directory } = await backedUp();
    const server = new MemorySource();
    const report = await restore(directory, server, { dryRun: true, into: 'other' });
    expect(report).toMatchObject({ into: 'other', points: 2 * COUNT, written: 0 });
    expect(server.lines.size).toBe(0);
  });

  test('writes only points of a range', async () => {
    const { directory } = await backedUp();
    const server = new MemorySource();
    const range = { from: daysAgo(1) + 10n, to: daysAgo(1) + 20n };
    expect(await restore(directory, server, { range })).toMatchObject({ days: [dayText(1)], points: 10, written: 10 });
    expect(server.lines.size).toBe(10);
  });

  test('reports the points that InfluxDB refuses', async () => {
    const { directory } = await backedUp();
    const server = new MemorySource();
    server.answer = (body) =>
      body.includes('v=7 ') || body.includes('v=9 ')
        ? { kind: 'refused', reason: 'field type conflict: input field "v" on measurement "m" is type float dropped=1' }
        : { kind: 'written' };
    const report = await restore(directory, server);
    expect(report).toMatchObject({ written: 2 * COUNT - 4, refused: 4 });
    expect(report.refusals).toHaveLength(4);
    expect(report.refusals[0]?.line).toContain('v=7 ');
    expect(report.refusals[0]?.reason).toContain('field type conflict');
  });

  test('stops where InfluxDB cannot be written to, and says why', async () => {
    const { directory } = await backedUp();
    const server = new MemorySource();
    let requests = 0;
    server.answer = () =>
      (requests += 1) > 2 ? { kind: 'configuration', reason: 'bucket not found' } : { kind: 'written' };
    expect(await restore(directory, server)).toMatchObject({ written: 200, error: 'bucket not found' });
    server.answer = () => ({ kind: 'retry', reason: 'connection refused' });
    expect(await restore(directory, server, { attempts: 1 })).toMatchObject({
      written: 0,
      error: 'connection refused',
    });
  });

  test('tries again when InfluxDB is away for a moment', async () => {
    const { directory, lines } = await backedUp();
    const server = new MemorySource();
    let requests = 0;
    server.answer = () =>
      (requests += 1) === 2 ? { kind: 'retry', reason: 'overload', retryAfter: 0.01 } : { kind: 'written' };
    expect(await restore(directory, server)).toMatchObject({ written: 2 * COUNT });
    expect(server.sorted()).toEqual(lines);
  });

  test('says how far it came when a copy goes while it is read', async () => {
    const { directory } = await backedUp();
    const server = new MemorySource();
    server.answer = () => {
      rmSync(join(directory, BUCKET), { recursive: true, force: true });
      return { kind: 'written' };
    };
    const report = await restore(directory, server);
    expect(report).toMatchObject({ written: COUNT, error: expect.stringContaining('is missing') as string });
  });

  const faults: [string, (path: string) => void][] = [
    ['a flipped bit', (path) => flip(path)],
    ['a truncated file', (path) => truncateSync(path, 60)],
    ['a missing file', (path) => rmSync(path)],
  ];

  test.each(faults)('refuses a copy with %s before anything is written', async (_, damage) => {
    const { directory } = await backedUp();
    // The later day: the earlier one must not be written either.
    const file = filesOf(directory)[1] ?? '';
    damage(join(directory, BUCKET, file));
    const server = new MemorySource();
    await expect(restore(directory, server)).rejects.toThrow(
      `nothing was written, because a copy is not good: raw: ${file}`,
    );
    expect(server.lines.size).toBe(0);
    const { from, to } = { from: daysAgo(2), to: daysAgo(1) };
    expect(await restore(directory, server, { range: { from, to } })).toMatchObject({ written: COUNT });
  });

  test('refuses copies whose manifest is damaged, and a bucket that has none', async () => {
    const { directory } = await backedUp();
    flip(join(directory, BUCKET, 'manifest.json'));
    await expect(restore(directory, new MemorySource())).rejects.toThrow('manifest.json');
    await expect(restore(directory, new MemorySource(), { bucket: 'other' })).rejects.toThrow('no copy of the bucket');
  });
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(80) ^ 4, 80);
  writeFileSync(path, bytes);
}
