import { afterEach, describe, expect, test, vi } from 'vitest';
import { isUnfinished } from '../../../nodes/lib/backup/unfinished';
import { MemorySource } from './memory-source';
import { backUpRaw, BUCKET, copiedLines, dayText, daysAgo, filled, temporary } from './support';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('a clock that was ahead', () => {
  const ahead = (): void => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5 * 86_400_000 });

  test('makes no later backup skip a day', async () => {
    const source = filled();
    const directory = temporary();
    ahead();
    await backUpRaw(source, directory);
    vi.useRealTimers();
    source.add(`m v=2 ${daysAgo(0)}`, `m v=2 ${daysAgo(2) + 50n}`);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(0), dayText(2)] });
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('makes no backup go on that was interrupted then', async () => {
    const source = filled();
    const directory = temporary();
    const abort = new AbortController();
    source.before = () => abort.abort(new Error('closing'));
    ahead();
    await expect(backUpRaw(source, directory, { signal: abort.signal })).rejects.toThrow('closing');
    vi.useRealTimers();
    source.before = () => undefined;
    expect(await isUnfinished(directory)).toBe(false);
    await backUpRaw(source, directory);
    expect(copiedLines(directory)).toEqual(source.sorted());
  });
});

test('a clock that is put back during a backup hides no new measurement', async () => {
  const source = filled();
  const directory = temporary();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  source.before = (statement) => {
    if (!statement.includes(`>= ${daysAgo(1)} `) || source.lines.size > 30) return;
    source.add(`new v=1 ${daysAgo(5)}`);
    vi.setSystemTime(Date.now() - 3_600_000);
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 5000);
  };
  await backUpRaw(source, directory);
  vi.useRealTimers();
  vi.restoreAllMocks();
  expect(copiedLines(directory)).toEqual(source.sorted());
});

test('hours that expire while a backup goes on are not missing', async () => {
  const source = new MemorySource();
  const directory = temporary();
  source.add(`m v=1 ${daysAgo(3)}`, `m v=1 ${daysAgo(1)}`);
  await backUpRaw(source, directory);
  source.remove((time) => time === daysAgo(3));
  const now = Date.now();
  vi.useFakeTimers({ toFake: ['Date'], now });
  source.before = (statement) => {
    if (statement.includes(`>= ${daysAgo(3)} `)) vi.setSystemTime(now + 2 * 86_400_000);
  };
  const buckets = new Map([[BUCKET, { retention: 4 * 86_400 }]]);
  const report = await backUpRaw(source, directory, { buckets });
  vi.useRealTimers();
  expect(report).toMatchObject({ missing: 0 });
});
