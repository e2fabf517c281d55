import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyCopies } from '../../../nodes/lib/backup/verify';
import { seededRandom } from '../../support/campaign';
import { MemorySource } from './memory-source';
import { backUpRaw, BUCKET, copiedLines, dayText, daysAgo, HOUR, never, temporary } from './support';

const hour = daysAgo(1) + 7n * HOUR;

/** One hour with as many points of one measurement as of the other, and of one series as of the other. */
function filled(): MemorySource {
  const source = new MemorySource();
  for (let index = 0n; index < 6n; index++) {
    source.add(
      `climate,device=a v=${index} ${hour + index}`,
      `climate,device=b v=${index} ${hour + index}`,
      `door\\ open,device=a s="a b, c=d\ne" ${hour + index}`,
    );
  }
  return source;
}

async function expectGood(directory: string): Promise<void> {
  expect((await verifyCopies({ directory, signal: never }))[0]?.faults).toEqual([]);
}

describe('points that InfluxDB lacks', () => {
  test('stay in the copy when another measurement has got as many in their hour', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const gone = source.sorted().filter((line) => line.startsWith('door'));
    source.remove((_, line) => line.startsWith('door'));
    for (let index = 10n; index < 17n; index++) source.add(`climate,device=a v=${index} ${hour + index}`);
    const report = await backUpRaw(source, directory);
    expect(report).toMatchObject({ copied: [dayText(1)], missing: 6 });
    expect(report.missingOf).toEqual([{ measurement: 'door open', points: 6 }]);
    expect(copiedLines(directory)).toEqual([...source.sorted(), ...gone].sort());
    await expectGood(directory);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], points: 0, missing: 6 });
  });

  test('stay when another series of the measurement has got as many, and what was overwritten is copied', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const gone = source.sorted().filter((line) => line.startsWith('climate,device=b'));
    source.remove((_, line) => line.startsWith('climate,device=b'));
    for (let index = 5n; index < 11n; index++) source.add(`climate,device=a v=${100n + index} ${hour + index}`);
    source.add(`climate,device=c v=1 ${hour}`);
    expect(await backUpRaw(source, directory)).toMatchObject({
      copied: [dayText(1)],
      missingOf: [{ measurement: 'climate', points: 6 }],
    });
    expect(copiedLines(directory)).toEqual([...source.sorted(), ...gone].sort());
    // They are written back.
    source.add(...gone);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], missing: 0, missingOf: [] });
    expect(copiedLines(directory)).toEqual(source.sorted());
    await expectGood(directory);
  });

  test('cost no new copy by themselves, and are known when the manifest was lost', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const before = copiedLines(directory);
    source.remove((time) => time === hour);
    const missing = [
      { measurement: 'climate', points: 2 },
      { measurement: 'door open', points: 1 },
    ];
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], missingOf: missing });
    source.statements.length = 0;
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], missingOf: missing });
    rmSync(join(directory, BUCKET, 'manifest.json'));
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], missingOf: missing });
    expect(await backUpRaw(source, directory, { full: true })).toMatchObject({
      copied: [dayText(1)],
      missingOf: missing,
    });
    expect(copiedLines(directory)).toEqual(before);
    await expectGood(directory);
    // What InfluxDB holds counts on demand.
    const shrunk = await backUpRaw(source, directory, { shrink: true });
    expect(shrunk).toMatchObject({ copied: [dayText(1)], missing: 0 });
    expect(copiedLines(directory)).toEqual(source.sorted());
  });

  test('of a day that goes on stay as well', async () => {
    const source = new MemorySource();
    const directory = temporary();
    source.add(`a v=1 ${daysAgo(0)}`, `b v=1 ${daysAgo(0)}`);
    await backUpRaw(source, directory);
    const before = source.sorted();
    source.remove((_, line) => line.startsWith('a'));
    source.add(`b v=1 ${daysAgo(0) + 1n}`);
    const report = await backUpRaw(source, directory);
    expect(report.missingOf).toEqual([{ measurement: 'a', points: 1 }]);
    expect(copiedLines(directory)).toEqual([...before, `b v=1 ${daysAgo(0) + 1n}`].sort());
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], missing: 1 });
  });

  test('are told when the backup failed later, and when it went on', async () => {
    const source = filled();
    source.add(`m v=1 ${daysAgo(3)}`);
    const directory = temporary();
    await backUpRaw(source, directory);
    source.remove((time, line) => time === hour || line.startsWith('m'));
    source.before = (statement) => {
      if (statement.includes(`>= ${daysAgo(3)} `)) throw new Error('InfluxDB is away');
    };
    expect(await backUpRaw(source, directory)).toMatchObject({ error: 'InfluxDB is away', missing: 3 });
    const abort = new AbortController();
    source.before = (statement) => {
      if (statement.includes(`>= ${daysAgo(3)} `)) abort.abort(new Error('closing'));
    };
    await expect(backUpRaw(source, directory, { signal: abort.signal })).rejects.toThrow('closing');
    source.before = () => undefined;
    expect(await backUpRaw(source, directory)).toMatchObject({ missing: 4 });
  });

  test('do not make a large manifest, however many measurements they are of', async () => {
    const source = new MemorySource();
    const directory = temporary();
    for (let index = 0; index < 200; index++) source.add(`measurement${index} v=1 ${hour}`);
    await backUpRaw(source, directory);
    source.remove(() => true);
    source.add(`new v=1 ${hour}`);
    const report = await backUpRaw(source, directory);
    expect(report.missing).toBe(200);
    expect(report.missingOf).toHaveLength(21);
    expect(report.missingOf[0]).toEqual({ measurement: '', points: 180 });
    expect(readFileSync(join(directory, BUCKET, 'manifest.json')).length).toBeLessThan(2000);
  });

  test.each([1, 2, 3])(
    'and what has come and changed are all in the copy, in bounded memory (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const below = (count: number): number => Math.floor(random() * count);
      const source = new MemorySource();
      const directory = temporary();
      const expected = new MemorySource();
      for (let round = 0; round < 6; round++) {
        for (let count = below(60); count > 0; count--) {
          const time = hour + BigInt(below(3)) * HOUR + BigInt(below(20));
          source.add(`m${below(2)},device=d${below(3)} v=${below(3)} ${time}`);
        }
        if (round > 0) source.remove(() => random() < 0.2);
        expected.add(...source.sorted());
        const report = await backUpRaw(source, directory, { mostPoints: 1 + below(30), full: random() < 0.2 });
        expect(copiedLines(directory)).toEqual(expected.sorted());
        expect(report.missing).toBe(expected.lines.size - source.lines.size);
        await expectGood(directory);
      }
    },
  );
});
