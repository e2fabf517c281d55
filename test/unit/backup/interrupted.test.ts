import { describe, expect, test } from 'vitest';
import { isUnfinished } from '../../../nodes/lib/backup/unfinished';
import { verifyCopies } from '../../../nodes/lib/backup/verify';
import { backUpRaw, copiedLines, dayText, daysAgo, filesOf, filled, never, temporary } from './support';

describe('a backup that fails', () => {
  test('leaves the older copies as they are, and says why', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const files = filesOf(directory);
    source.add(`climate,device=a,site=x v=0.5 ${daysAgo(2)}`);
    source.before = (statement) => {
      if (statement.includes(`${daysAgo(2)}`)) throw new Error('InfluxDB is away');
    };
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [], error: 'InfluxDB is away' });
    expect(filesOf(directory)).toEqual(files);
    const [verified] = await verifyCopies({ directory, signal: never });
    expect(verified).toMatchObject({ days: 3, faults: [] });
  });

  test('begins anew, so that a day that always fails does not hide those before it', async () => {
    const source = filled();
    const directory = temporary();
    source.before = (statement) => {
      if (statement.includes(`>= ${daysAgo(3)} `)) throw new Error('InfluxDB is away');
    };
    expect(await backUpRaw(source, directory)).toMatchObject({ error: 'InfluxDB is away' });
    source.add(`climate,device=a,site=x v=0.5 ${daysAgo(2)}`);
    const report = await backUpRaw(source, directory);
    expect(report).toMatchObject({ copied: [dayText(2)], error: 'InfluxDB is away' });
  });
});

describe('a backup that is interrupted', () => {
  test('goes on where it was', async () => {
    const source = filled();
    const directory = temporary();
    const abort = new AbortController();
    source.before = (statement) => {
      if (!statement.includes(`>= ${daysAgo(3)} `)) return;
      abort.abort(new Error('closing'));
      throw new Error('closing');
    };
    await expect(backUpRaw(source, directory, { signal: abort.signal })).rejects.toThrow('closing');
    expect(await isUnfinished(directory)).toBe(true);
    source.before = () => undefined;
    source.statements.length = 0;
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(5)] });
    // Days 1 and 2 were done.
    expect(source.statements.filter((text) => text.includes(`>= ${daysAgo(2)} `))).toEqual([]);
    expect(copiedLines(directory)).toEqual(source.sorted());
    // The next one begins anew.
    source.add(`climate,device=a,site=x v=0.5 ${daysAgo(2)}`);
    expect(await backUpRaw(source, directory)).toMatchObject({ copied: [dayText(2)] });
  });

  test('stops at once when it is aborted', async () => {
    const source = filled();
    const abort = new AbortController();
    source.before = () => abort.abort(new Error('closing'));
    await expect(backUpRaw(source, temporary(), { signal: abort.signal })).rejects.toThrow('closing');
  });

  test('leaves nothing half made when it is aborted while it writes or compares', async () => {
    const source = filled();
    const directory = temporary();
    await backUpRaw(source, directory);
    const files = filesOf(directory);
    source.remove((_, line) => line.includes('device=b'));
    source.add(`climate,device=a,site=x v=0.5 ${daysAgo(2)}`);
    const statements = source.statements.length;
    await backUpRaw(source, temporary());
    // At each statement.
    for (let left = source.statements.length - statements; left > 0; left--) {
      const abort = new AbortController();
      let count = 0;
      source.before = () => {
        if ((count += 1) === left) abort.abort(new Error('closing'));
      };
      const work = backUpRaw(source, directory, { signal: abort.signal, range: { from: daysAgo(2), to: daysAgo(1) } });
      await work.catch((error: unknown) => expect(error).toEqual(new Error('closing')));
      expect(filesOf(directory).filter((file) => file.endsWith('.partial'))).toEqual([]);
      expect(filesOf(directory)).toHaveLength(files.length);
    }
    expect((await verifyCopies({ directory, signal: never }))[0]).toMatchObject({ days: 3, faults: [] });
  });
});
