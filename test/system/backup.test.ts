import { readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backUp, type BucketReport } from '../../nodes/lib/backup/backup';
import { LineSplitter, timeOf } from '../../nodes/lib/backup/lines';
import { restoreCopies } from '../../nodes/lib/backup/restore';
import { verifyCopies } from '../../nodes/lib/backup/verify';
import { connect } from '../../nodes/lib/influx/connect';
import type { InfluxServer } from '../../nodes/lib/influx/server';
import { awkwardLines, canonical, storeLines } from '../support/backup-points';
import { rounds, seed } from '../support/campaign';
import { atEndOfFile } from '../support/cleanup';
import { targetKinds, type Target } from '../support/facade/targets';
import { run } from '../support/processes';
import { tempDirectory } from '../support/temp';

const POINTS = rounds(2000, 100_000);
const DAYS = 3;
const never = new AbortController().signal;

async function backUpBucket(source: InfluxServer, bucket: string, directory: string): Promise<BucketReport> {
  const buckets = new Map([[bucket, { retention: (DAYS + 1) * 86_400 }]]);
  const [report] = await backUp({ source, place: 'here', directory, buckets, keep: 0, signal: never });
  if (!report) throw new Error('no report');
  return report;
}

/** Every line of the copies of a bucket, by what the files hold. */
function copiedLines(directory: string, bucket: string): string[] {
  const folder = join(directory, bucket);
  const files = readdirSync(folder).filter((name) => name.endsWith('.lp.gz'));
  const texts = files.map((file) => gunzipSync(readFileSync(join(folder, file))).toString());
  return texts
    .flatMap((text) => new LineSplitter().push(text))
    .map(canonical)
    .sort();
}

function filesIn(directory: string, bucket: string): string[] {
  return readdirSync(join(directory, bucket)).sort();
}

describe('copies of every version', () => {
  const lines = awkwardLines(seed, POINTS, DAYS);
  const opened: { target: Target; server: InfluxServer }[] = [];

  beforeAll(async () => {
    for (const { start } of targetKinds()) {
      const target = await start();
      opened.push({ target, server: connect(target.options) });
    }
  });

  afterAll(async () => {
    for (const { target, server } of opened) {
      server.close();
      await target.cleanUp();
      target.assertHonest();
    }
  });

  test(`hold the same ${POINTS} lines, and restore into every other version (seed ${seed})`, async () => {
    for (const from of opened) {
      const bucket = await from.target.createBucket();
      await storeLines(from.server, bucket, lines);
      const directory = tempDirectory('backup');
      const report = await backUpBucket(from.server, bucket, directory);
      expect(report).toMatchObject({ points: POINTS, faults: [], missing: 0 });
      expect(report.error).toBeUndefined();
      expect(report.omitted).toBeUndefined();
      expect(copiedLines(directory, bucket)).toEqual(lines);
      expect((await backUpBucket(from.server, bucket, directory)).copied).toEqual([]);

      for (const to of opened) {
        const into = await to.target.createBucket();
        const [restored] = await restoreCopies({ directory, bucket, into, server: to.server, signal: never });
        expect(restored).toMatchObject({ points: POINTS, written: POINTS, refused: 0 });
        const again = tempDirectory('backup');
        await backUpBucket(to.server, into, again);
        expect(copiedLines(again, into)).toEqual(lines);
        await to.target.cleanUp(...(to.target.options.version === '3' ? [into] : []));
      }
    }
  });
});

describe('a bucket that keeps less than the copies hold', () => {
  test('gets what it keeps, and the rest is told as refused', async () => {
    const [kind] = targetKinds();
    if (!kind) throw new Error('no InfluxDB');
    const target = await kind.start();
    const server = connect(target.options);
    atEndOfFile(() => server.close());
    const bucket = await target.createBucket();
    const lines = awkwardLines(seed, 20_000, DAYS);
    await storeLines(server, bucket, lines);
    const directory = tempDirectory('backup');
    await backUpBucket(server, bucket, directory);
    const into = await target.createBucket(86_400);
    const yesterday = BigInt(Date.now() - 86_400_000) * 1_000_000n;
    const isKept = (line: string): boolean => timeOf(line) > yesterday;
    let requests = 0;
    const counted: Pick<InfluxServer, 'write' | 'batchLines'> = {
      batchLines: server.batchLines,
      write: (...given) => {
        requests += 1;
        return server.write(...given);
      },
    };
    const [restored] = await restoreCopies({ directory, bucket, into, server: counted, signal: never });
    const kept = lines.filter(isKept).length;
    expect(restored?.error).toBeUndefined();
    expect((restored?.written ?? 0) + (restored?.refused ?? 0)).toBe(lines.length);
    // 1.x takes what lies in a shard that has not ended: here an hour.
    expect(Math.abs((restored?.written ?? 0) - kept)).toBeLessThan(lines.length / (DAYS * 24) + 20);
    expect(restored?.refusals[0]?.reason).toContain('retention');
    expect(requests).toBeLessThan(60);
  });
});

describe('names that start with _, as some of InfluxDB itself do', () => {
  test('are copied, proven and restored, and what InfluxDB does not give out is told', async () => {
    const [kind] = targetKinds();
    if (!kind) throw new Error('no InfluxDB');
    const target = await kind.start();
    const server = connect(target.options);
    atEndOfFile(() => server.close());
    const names = ['', 'name', 'field', 'fieldKey', 'fieldKeys', 'fieldType', 'tagKey', 'tagKeys', 'tagValue', 'tags'];
    names.push('seriesKey', 'series', 'measurement', 'measurements', 'system', 'shard', 'time', 'value', 'start', 'x');
    const time = BigInt(Date.now()) * 1_000_000n;
    const lines = names.flatMap((name, index) => [
      `_${name} v=1 ${time}`,
      `tag,_${name}=a,b=c v=1i,w="x" ${time + BigInt(index)}`,
      `field${index},b=c _${name}=1 ${time}`,
      `mixed${index},v=t _${name}=1,v=2i ${time}`,
    ]);
    const bucket = await target.createBucket();
    const other = await target.createBucket();
    await storeLines(server, bucket, lines);
    await storeLines(server, other, [`m v=1 ${time}`]);

    const measurements = ['_fieldKeys', '_tagKeys', '_series'];
    const hidden = ['_name', '_fieldKey', '_tagKey', '_tagValue', '_seriesKey'];
    const expected = lines.flatMap((line) => {
      if (measurements.some((name) => line.startsWith(`${name} `))) return [];
      const field = hidden.find((name) => line.includes(` ${name}=`));
      if (field === undefined) return [canonical(line)];
      return line.startsWith('mixed') ? [line.replace(`${field}=1,`, '')] : [];
    });
    const directory = tempDirectory('backup');
    const report = await backUpBucket(server, bucket, directory);
    expect(report.error).toBeUndefined();
    expect(report.omitted).toBeUndefined();
    expect(copiedLines(directory, bucket)).toEqual(expected.sort());
    expect(report.unreadable.map(({ measurement }) => measurement).sort()).toEqual(
      [
        ...measurements,
        ...hidden.flatMap((name) => [`field${names.indexOf(name.slice(1))}`, `mixed${names.indexOf(name.slice(1))}`]),
      ].sort(),
    );
    expect((await verifyCopies({ directory, bucket, signal: never }))[0]).toMatchObject({
      points: expected.length,
      faults: [],
    });
    const into = await target.createBucket();
    const [restored] = await restoreCopies({ directory, bucket, into, server, signal: never });
    expect(restored).toMatchObject({ written: expected.length, refused: 0 });
    await backUpBucket(server, into, directory);
    expect(copiedLines(directory, into)).toEqual(expected);
    // Another bucket has none of this.
    expect((await backUpBucket(server, other, directory)).unreadable).toEqual([]);
  });
});

describe('a disk for the copies', () => {
  let target: Target;
  let server: InfluxServer;

  beforeAll(async () => {
    const [kind] = targetKinds();
    if (!kind) throw new Error('no InfluxDB');
    target = await kind.start();
    server = connect(target.options);
  });

  afterAll(() => server.close());

  test('that is full fails the backup, and leaves the older copies good', async () => {
    if (process.getuid?.() !== 0)
      throw new Error('This test mounts a small tmpfs: run it as root, with the right to mount (CAP_SYS_ADMIN).');
    const directory = tempDirectory('backup-tmpfs');
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]);
    atEndOfFile(async () => {
      await run('umount', [directory]);
    });
    const bucket = await target.createBucket();
    const before = awkwardLines(seed, 500, DAYS);
    await storeLines(server, bucket, before);
    expect((await backUpBucket(server, bucket, directory)).error).toBeUndefined();
    const files = filesIn(directory, bucket);
    const filler = join(directory, 'filler');
    await run('sh', ['-c', `dd if=/dev/zero of=${filler} bs=4096 2>/dev/null || true`]);
    const more = awkwardLines(seed + 1, 2000, DAYS);
    await storeLines(server, bucket, more);
    const report = await backUpBucket(server, bucket, directory);
    expect(report.copied).toEqual([]);
    expect(report.error).toContain('ENOSPC');
    expect(filesIn(directory, bucket)).toEqual(files);
    expect(copiedLines(directory, bucket)).toEqual(before);
    const [verified] = await verifyCopies({ directory, bucket, signal: never });
    expect(verified).toMatchObject({ points: 500, faults: [] });
    rmSync(filler);
    expect((await backUpBucket(server, bucket, directory)).error).toBeUndefined();
    expect(copiedLines(directory, bucket)).toEqual([...before, ...more].sort());
  });

  const damages: [string, (path: string) => void][] = [
    [
      'a flipped bit',
      (path) => {
        const bytes = readFileSync(path);
        const at = Math.floor(bytes.length / 2);
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
        writeFileSync(path, bytes);
      },
    ],
    ['a truncated file', (path) => truncateSync(path, 1000)],
    ['a missing file', (path) => rmSync(path)],
  ];

  test.each(damages)('%s is found by verify, and nothing is restored', async (_, damage) => {
    const directory = tempDirectory('backup');
    const bucket = await target.createBucket();
    await storeLines(server, bucket, awkwardLines(seed, 1000, DAYS));
    await backUpBucket(server, bucket, directory);
    const file = filesIn(directory, bucket).at(-2) ?? '';
    damage(join(directory, bucket, file));
    const [verified] = await verifyCopies({ directory, bucket, signal: never });
    expect(verified?.faults).toHaveLength(1);
    expect(verified?.faults[0]?.reason).toContain(file);
    const into = await target.createBucket();
    await expect(restoreCopies({ directory, bucket, into, server, signal: never })).rejects.toThrow(file);
    for await (const block of server.query(into, 'SHOW FIELD KEYS', never)) expect(block).toBeUndefined();
  });
});
