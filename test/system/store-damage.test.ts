import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../nodes/lib/action/clock';
import { Journal } from '../../nodes/lib/action/journal';
import { Marks } from '../../nodes/lib/aggregate/marks';
import { KeptAlarms } from '../../nodes/lib/alarm/kept-alarms';
import { newRecord } from '../../nodes/lib/alarm/record';
import { ownClientId } from '../../nodes/lib/mqtt/client-id';
import { alarmKey, listenedPrefix, numberedKey, outboxPrefix } from '../../nodes/lib/store/keys';
import { PointQueue } from '../../nodes/lib/store/queue';
import { Store } from '../../nodes/lib/store/store';
import { rounds, seed, torture } from '../support/campaign';
import { startChild, type Child } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';
import { contentOf, examine, RULE, type Verdict } from './store-damage-cases';

const root = join(import.meta.dirname, '../..');
let childScript = '';
let template = '';

beforeAll(async () => {
  childScript = join(tempDirectory('damage-child'), 'child.cjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'store-damage-child.ts')],
    outfile: childScript,
    bundle: true,
    platform: 'node',
    external: ['classic-level', 'mqtt'],
  });
  template = join(tempDirectory('damage'), 'store');
  await makeStore(template);
}, 120_000);

/** A small store with records of every kind, in two tables and a log; some were changed or removed since they were in a table. */
async function makeStore(directory: string): Promise<void> {
  const store = await Store.open(directory, { retryMilliseconds: 10 });
  const marks = new Marks('s1', { windows: 100 });
  const queue = await PointQueue.open(store, 's1', { limitBytes: 1e9, chunkMilliseconds: 1, companion: marks });
  marks.enter('agg1');
  marks.setRules('agg1', [RULE]);
  const accept = (bucket: string, line: string): Promise<Error | undefined> =>
    new Promise((resolve) => queue.accept(bucket, bucket === 'raw' ? 'sensor' : 'event', 'w1', line, resolve));
  // The repair and its count, which are records too.
  store.distrust('made for a test');
  await until('the store is open again', async () => (await accept('raw', 'm v=0 0')) === undefined);
  const kept = await KeptAlarms.open(store, 'alarms1');
  const silent = { stepTaken: () => undefined, due: () => undefined, failed: () => undefined };
  const journal = await Journal.load(store, 'b1', silent, systemClock);
  for (let part = 0; part < 3; part++) {
    for (let index = 0; index < 4; index++) {
      const time = (part * 4 + index) * 60_000;
      expect(await accept('raw', `m,device=d${index} v=${time} ${time}000001`)).toBeUndefined();
      expect(await accept('events', `a,device=d${index} text="of ${part}" ${time}000001`)).toBeUndefined();
      const topic = `alarms/hall/d${part}${index}/smoke`;
      const source = { topic, bucket: 'events', measurement: 'alarms', tags: { device: `d${index}` } };
      const alarm = { ...newRecord(source, 1000 + part), newest: '1', interval: 10_000 };
      const change = { event: 'raised', alarm: { id: topic }, time: String(10n ** 18n + BigInt(time)) } as never;
      await kept.put([alarm], { sync: true, owed: [{ change, source }] });
      const id = `action-${part}-${index}`;
      const action = { id, kind: 'action', node: 'p1', origin: 'm', topic: 'a/b', message: '{}', created: 0 } as const;
      await journal.create({ ...action, expires: 10 ** 13 });
    }
    const packet = {
      id: part + 1,
      message: 'action-0-0',
      qos: 2,
      session: 's',
      publish: { topic: 'a/b', payload: '{}' },
    };
    const heard = { until: part, isLast: false, heard: [['sensors/d1', part]] };
    const [chunk] = await queue.take('raw', 1);
    if (chunk !== undefined) await queue.remove([chunk]);
    await store.batch([
      { type: 'put', key: numberedKey(outboxPrefix('packet', 'b1'), part), value: Buffer.from(JSON.stringify(packet)) },
      { type: 'put', key: numberedKey(listenedPrefix('alarms1'), 0), value: Buffer.from(JSON.stringify(heard)) },
      {
        type: 'put',
        key: `stretch/s1/agg1/${encodeURIComponent(RULE.id)}/-60000000`,
        value: Buffer.from('-60000000 0'),
      },
      ...(part > 0 ? [{ type: 'del' as const, key: alarmKey('alarms1', `alarms/hall/d0${part}/smoke`) }] : []),
    ]);
    await ownClientId(store, 'b1');
    if (part < 2) await store.compact({ gte: '', lt: '~' });
  }
  journal.close();
  kept.close();
  await queue.close();
  await store.close();
}

function startDamageChild(...these: (string | number)[]): Promise<Child> {
  const env = { ...process.env, NODE_PATH: join(root, 'node_modules') };
  return startChild(process.execPath, [childScript, ...these.map(String)], { env, name: 'damage child' });
}

function linesOf(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const CASES_A_CHILD = 100;

describe('a small store with records of every kind', () => {
  it(
    'loses or changes nothing without a word, opens always, and overwrites nothing, whatever bit, end or sector of it is damaged',
    { timeout: torture ? 6 * 3_600_000 : 600_000 },
    async () => {
      const count = rounds(60, 20_000);
      const scratch = tempDirectory('damaged');
      const faulty: unknown[] = [];
      let differing = 0;
      let told = 0;
      for (let from = 0; from < count;) {
        const to = Math.min(from + CASES_A_CHILD, count);
        const child = await startDamageChild('cases', template, scratch, seed, from, to);
        await child.exited;
        const lines = linesOf(child.output());
        const verdicts = lines.filter((line) => 'faults' in line) as unknown as Verdict[];
        for (const verdict of verdicts) {
          if (verdict.faults.length > 0) faulty.push(verdict);
          if (verdict.different.length > 0) differing++;
          if (verdict.told.length > 0) told++;
        }
        const done = verdicts.length;
        if (done < to - from) faulty.push({ index: from + done, ended: child.output().slice(-1000) });
        from += Math.max(done, 1) + (done < to - from ? 1 : 0);
      }
      console.log(`seed ${seed}: ${count} damages, ${told} told, ${differing} with records lost`);
      expect(faulty, `seed ${seed}`).toEqual([]);
      // A test that damages nothing shows nothing.
      expect(told).toBeGreaterThan(count / 4);
    },
  );
});

describe('a repair that is cut before any of its file operations', () => {
  function fileOf(directory: string, kind: RegExp): string {
    return join(
      directory,
      readdirSync(directory)
        .filter((name) => kind.test(name))
        .sort()[0] ?? '',
    );
  }

  function flip(path: string, part: number): void {
    const bytes = readFileSync(path);
    const at = Math.floor(bytes.length * part);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(path, bytes);
  }

  const damages: [string, (directory: string) => void][] = [
    ['a table', (directory) => flip(fileOf(directory, /\.ldb$/), 0.2)],
    ['a log', (directory) => flip(fileOf(directory, /\.log$/), 0.4)],
    ['CURRENT', (directory) => rmSync(join(directory, 'CURRENT'))],
    [
      'MANIFEST and a table',
      (directory) => {
        flip(fileOf(directory, /^MANIFEST/), 0.5);
        flip(fileOf(directory, /\.ldb$/), 0.2);
      },
    ],
  ];

  it.each(damages)(
    'loses nothing of %s that could be read before',
    { timeout: torture ? 3_600_000 : 600_000 },
    async (_, damage) => {
      const damaged = (): string => {
        const directory = join(tempDirectory('cut'), 'store');
        mkdirSync(dirname(directory), { recursive: true });
        cpSync(template, directory, { recursive: true });
        damage(directory);
        return directory;
      };
      const uncut = damaged();
      const child = await startDamageChild('cut', template, uncut, 0, 0);
      await child.exited;
      const operations = Number(linesOf(child.output()).find((line) => 'operations' in line)?.['operations']);
      expect(operations).toBeGreaterThan(5);
      const readable = await contentOf(uncut);
      const step = torture ? 1 : Math.ceil(operations / 4);
      for (let number = 1; number <= operations; number += step) {
        const directory = damaged();
        const killed = await startDamageChild('cut', template, directory, 0, number);
        expect((await killed.exited).signal, `before operation ${number}`).toBe('SIGKILL');
        const content = await contentOf(directory);
        for (const [key, body] of readable)
          if (!/^(repaired|checked)/.test(key))
            expect(content.get(key), `${key} before operation ${number}`).toBe(body);
        // It was told when it was repaired.
        const { faults } = await examine(directory, template);
        expect(
          faults.filter((fault) => !fault.startsWith('untold')),
          `before operation ${number}`,
        ).toEqual([]);
      }
    },
  );
});
