import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { LineSplitter } from '../../nodes/lib/backup/lines';
import { isUnfinished } from '../../nodes/lib/backup/unfinished';
import { verifyCopies } from '../../nodes/lib/backup/verify';
import { awkwardLines, canonical } from '../support/backup-points';
import { SERVER_NAME, startBackupRig, writeLines } from '../support/backup-rig';
import { rounds, runtimes, seed, seededRandom } from '../support/campaign';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const never = new AbortController().signal;

function copiesIn(directory: string, bucket = 'raw'): string[] {
  try {
    return readdirSync(join(directory, SERVER_NAME, bucket)).filter((name) => name.endsWith('.lp.gz'));
  } catch {
    return []; // not there yet
  }
}

function copiedLines(directory: string, bucket = 'raw'): string[] {
  const folder = join(directory, SERVER_NAME, bucket);
  const texts = copiesIn(directory, bucket).map((file) => gunzipSync(readFileSync(join(folder, file))).toString());
  return texts
    .flatMap((text) => new LineSplitter().push(text))
    .map(canonical)
    .sort();
}

function memoryOf(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

describe.each(runtimes('4'))('the backup node on Node-RED %s', (runtime) => {
  test('backs up, verifies, lists and restores by message, and says what is wrong', async () => {
    const directory = tempDirectory('backup');
    const rig = await startBackupRig(runtime, { directory });
    const lines = awkwardLines(seed, 1000, 3);
    await writeLines(rig, 'raw', lines);

    const made = await rig.command({ payload: 'backup' });
    expect(made).toMatchObject({ command: 'backup', ok: true, points: 1000, copied: 4, missing: 0 });
    expect(copiedLines(directory)).toEqual(lines);
    const manifest = readFileSync(join(directory, SERVER_NAME, 'raw', 'manifest.json'), 'utf8');
    expect(JSON.parse(manifest)).toMatchObject({
      manifest: { place: expect.stringMatching(/^http:.*, database iot$/) as string },
    });
    expect(await rig.command({ payload: 'backup' })).toMatchObject({ ok: true, copied: 0 });
    expect(await rig.command({ payload: 'verify' })).toMatchObject({ ok: true, days: 4, points: 1000, faults: 0 });
    const list = await rig.command({ payload: 'list', bucket: 'raw' });
    expect(list).toMatchObject({ days: 4, points: 1000 });

    // Everything is deleted, and a backup comes before the restore.
    await rig.influxd.query('DROP RETENTION POLICY "raw" ON "iot"');
    await rig.influxd.query('CREATE RETENTION POLICY "raw" ON "iot" DURATION 30d REPLICATION 1 DEFAULT');
    const after = await rig.command({ payload: 'backup' });
    expect(after).toMatchObject({ ok: false, copied: 0, missing: 1000 });
    const dry = await rig.command({ payload: 'restore', bucket: 'raw', dryRun: true });
    expect(dry).toMatchObject({ ok: true, dryRun: true, points: 1000, written: 0 });
    expect(await rig.command({ payload: 'restore', bucket: 'raw' })).toMatchObject({
      ok: true,
      written: 1000,
      refused: 0,
    });
    const again = await rig.command({ payload: 'backup', full: true });
    expect(again).toMatchObject({ ok: true, points: 1000, missing: 0 });
    expect(copiedLines(directory)).toEqual(lines);

    expect(await rig.failure({ payload: 'nonsense' })).toMatchObject({ code: 'backup-failed' });
    const noBucket = await rig.failure({ payload: 'restore', bucket: 'raw', into: 'nowhere' });
    expect(noBucket).toMatchObject({
      code: 'backup-failed',
      message: expect.stringContaining('retention policy not found: nowhere') as string,
    });
    const [file = ''] = copiesIn(directory);
    const path = join(directory, SERVER_NAME, 'raw', file);
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 2, 100);
    writeFileSync(path, bytes);
    const bad = await rig.failure({ payload: 'verify' });
    expect(bad).toMatchObject({ code: 'backup-failed', message: expect.stringContaining(file) as string });
    expect(rig.collector.messages('result').at(-1)).toMatchObject({
      payload: { command: 'verify', ok: false, faults: 1 },
    });
    const refused = await rig.failure({ payload: 'restore', bucket: 'raw' });
    expect(refused.message).toContain('nothing was written');

    // The copy that is damaged is needed for nothing new; a full backup makes it anew.
    expect(await rig.command({ payload: 'backup', full: true })).toMatchObject({ ok: true });
    const results = rig.collector.messages('result').length;
    await rig.reschedule('* * * * * *');
    const [scheduled] = (await rig.collector.waitFor('result', results + 1)).slice(results);
    expect(scheduled).toMatchObject({ payload: { command: 'backup', ok: true, copied: 0 } });
    await rig.reschedule('61 * * * *');
    expect(await rig.failure({ payload: 'list' })).toMatchObject({
      code: 'not-configured',
      message: expect.stringContaining('"61 * * * *" is neither a period') as string,
    });
  });

  const KILLS = rounds(2, 20);
  test(`kill -9 in the middle, ${KILLS} times, harms no copy, and the backup goes on by itself`, async () => {
    const days = 20;
    const directory = tempDirectory('backup');
    const rig = await startBackupRig(runtime, { directory, schedule: '52w' });
    const random = seededRandom();
    const lines: string[] = [];
    let interrupted = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const more = awkwardLines(seed + kill, 2000, days);
      lines.push(...more);
      await writeLines(rig, 'raw', more);
      const before = new Set(copiesIn(directory));
      const moment = Math.floor(random() * (days - 2));
      await rig.send({ payload: 'backup' });
      const isNew = (file: string): boolean => !before.has(file);
      await until(
        `${moment} days are copied`,
        () => copiesIn(directory).filter(isNew).length,
        (copied) => copied >= moment,
        { interval: 1 },
      );
      await rig.nodeRed.kill();
      if (copiesIn(directory).length > 0) {
        const [verified] = await verifyCopies({
          directory: join(directory, SERVER_NAME),
          bucket: 'raw',
          signal: never,
        });
        expect(verified?.faults).toEqual([]);
      }
      const wasInterrupted = await isUnfinished(join(directory, SERVER_NAME));
      interrupted += wasInterrupted ? 1 : 0;
      const results = rig.collector.messages('result').length;
      await rig.nodeRed.restart();
      if (wasInterrupted) await rig.collector.waitFor('result', results + 1, 120_000);
    }
    await rig.command({ payload: 'backup' });
    expect(copiedLines(directory)).toEqual(lines.sort());
    expect(interrupted).toBeGreaterThan(0);
  });

  const POINTS = rounds(50_000, 1_000_000);
  test(`${POINTS} points are backed up, verified and restored in bounded memory`, async () => {
    const directory = tempDirectory('backup');
    const rig = await startBackupRig(runtime, { directory });
    const start = BigInt(Math.floor(Date.now() / 86_400_000) - 1) * 86_400_000_000_000n;
    const step = (86_400_000_000_000n * 100n) / BigInt(POINTS);
    for (let first = 0; first < POINTS; first += 50_000) {
      const lines = Array.from({ length: Math.min(50_000, POINTS - first) }, (_, index) => {
        const point = first + index;
        const time = start + BigInt(Math.floor(point / 100)) * step;
        return `climate,device=sensor-${point % 100} humidity=${point % 97}.5,temperature=${point / 7} ${time}`;
      });
      await writeLines(rig, 'raw', lines);
    }
    const pid = rig.nodeRed.pid();
    const base = memoryOf(pid, 'VmRSS');
    const report: string[] = [];
    for (const message of [
      { payload: 'backup' },
      { payload: 'backup' },
      { payload: 'verify' },
      { payload: 'restore', bucket: 'raw', into: 'events' },
    ]) {
      // Forgets the peak so far (proc(5)).
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
      const result = await rig.command(message);
      expect(result).toMatchObject({ ok: true });
      if (message.payload !== 'backup' || report.length === 0) expect(result).toMatchObject({ points: POINTS });
      const peak = memoryOf(pid, 'VmHWM');
      expect(peak - base).toBeLessThan(400);
      const seconds = Number(result['milliseconds']) / 1000;
      report.push(`${message.payload} ${Math.round(POINTS / seconds)} points/s, peak RSS ${peak} MB`);
    }
    console.log(`Node-RED ${runtime}, ${POINTS} points, RSS ${base} MB before: ${report.join('; ')}`);
    expect(await rig.influxd.count('iot', 'events', 'climate', 'temperature')).toBe(POINTS);
  });
});
