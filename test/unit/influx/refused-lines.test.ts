import { describe, expect, test } from 'vitest';
import { parseLine } from '../../../nodes/lib/influx/parse-line';
import { findRefused, type Verdict } from '../../../nodes/lib/influx/refused-lines';
import { seeded } from './random-points';

const HOUR = 3_600_000_000_000;

/** How a version of InfluxDB speaks of what it refuses; its shards are an hour long. */
class Fake {
  readonly stored = new Map<string, string>();
  requests = 0;
  readonly #isWholeBatch: boolean;
  readonly #oldest: number;

  constructor(options: { isWholeBatch?: boolean; oldest?: number } = {}) {
    this.#isWholeBatch = options.isWholeBatch ?? false;
    this.#oldest = options.oldest ?? 0;
  }

  write = (lines: readonly string[]): Promise<Verdict> => {
    this.requests += 1;
    return Promise.resolve(this.#verdict(lines));
  };

  #verdict(lines: readonly string[]): Verdict {
    const unparsable = lines.filter((line) => line.startsWith('garbage'));
    const quotes = unparsable.map((line) => `unable to parse '${line}': invalid field format`).join('\n');
    if (this.#isWholeBatch && unparsable.length > 0) return { kind: 'refused', reason: quotes };
    const parsed = lines.filter((line) => !unparsable.includes(line)).map((line) => ({ line, ...parseLine(line) }));
    const old = parsed.filter(({ time }) => Number(time) < this.#oldest);
    const conflicts = parsed.filter(
      ({ time, fields }) => Number(time) >= this.#oldest && fields['f']?.type === 'integer',
    );
    for (const { line, tags, time } of parsed) {
      if (!old.some((other) => other.line === line) && !conflicts.some((other) => other.line === line)) {
        this.stored.set(`${JSON.stringify(tags)} ${time}`, line);
      }
    }
    // One cause and one shard only, as the real ones do.
    const [conflict] = conflicts;
    if (conflict) {
      const shard = Math.floor(Number(conflict.time) / HOUR);
      const dropped = conflicts.filter(({ time }) => Math.floor(Number(time) / HOUR) === shard).length;
      const text = `field type conflict: input field "f" on measurement "m" is type integer, already exists as type float`;
      return { kind: 'partly-written', reason: `partial write: ${text} dropped=${dropped}` };
    }
    if (old.length > 0) {
      return { kind: 'partly-written', reason: `partial write: points beyond retention policy dropped=${old.length}` };
    }
    if (unparsable.length > 0) {
      const kind = unparsable.length < lines.length ? 'partly-written' : 'refused';
      return { kind, reason: `${kind === 'refused' ? '' : 'partial write: '}${quotes} dropped=0` };
    }
    return { kind: 'written' };
  }
}

function goodLines(count: number, step = 1): string[] {
  return Array.from({ length: count }, (_, index) => `m,d=${index % 9} f=${index}.5 ${10 * HOUR + index * step}`);
}

/** Puts the bad lines at random places. */
function mixed(good: string[], bad: string[], seed = 7): string[] {
  const random = seeded(seed);
  const lines = [...good];
  for (const line of bad) lines.splice(Math.floor(random() * lines.length), 0, line);
  return lines;
}

async function find(fake: Fake, lines: string[]): Promise<Map<string, string>> {
  const found = await findRefused(lines, await fake.write(lines), fake.write);
  expect(found.map(({ index }) => index)).toEqual([...found.map(({ index }) => index)].sort((a, b) => a - b));
  return new Map(found.map(({ index, reason }) => [lines[index] ?? '', reason]));
}

function conflicts(count: number, step = 1): string[] {
  return Array.from({ length: count }, (_, index) => `m,d=bad f=${index}i ${10 * HOUR + index * step}`);
}

const GARBAGE = Array.from({ length: 50 }, (_, index) => `garbage line ${index}`);

describe('findRefused', () => {
  test.each([1, 3, 50])('%i type conflicts in 5,000 lines and one shard cost three requests', async (count) => {
    const fake = new Fake();
    const bad = conflicts(count);
    const found = await find(fake, mixed(goodLines(5000), bad));
    expect([...found.keys()].sort()).toEqual(bad.sort());
    expect(fake.stored.size).toBe(5000);
    expect(fake.requests).toBe(3);
  });

  test('48 type conflicts over twelve shards cost a few requests for each shard', async () => {
    const fake = new Fake();
    const bad = conflicts(48, HOUR / 4);
    const found = await find(fake, mixed(goodLines(5000, HOUR / 100), bad));
    expect([...found.keys()].sort()).toEqual(bad.sort());
    expect(fake.requests).toBeLessThan(60);
  });

  test('lines of the same field that are in a shard of their type are not refused', async () => {
    const lines = ['m f=1i 1', 'm f=2i 2', 'm f=3.5 3', 'm f=3i 3'];
    const refused = new Set(['m f=2i 2', 'm f=3i 3']);
    let requests = 0;
    const write = (some: readonly string[]): Promise<Verdict> => {
      requests += 1;
      const bad = some.filter((line) => refused.has(line));
      const text =
        'field type conflict: input field "f" on measurement "m" is type integer, already exists as type float';
      return Promise.resolve(
        bad.length === 0 ? { kind: 'written' } : { kind: 'partly-written', reason: `partial write: ${text} dropped=1` },
      );
    };
    const found = await findRefused(lines, await write(lines), write);
    expect(found.map(({ index }) => index)).toEqual([1, 3]);
    expect(requests).toBeLessThan(10);
  });

  test.each([
    ['1.x, which stores the others', false, 1],
    ['2.x, which does not', true, 2],
  ])('50 unparsable lines on %s', async (_, isWholeBatch, requests) => {
    const fake = new Fake({ isWholeBatch });
    const found = await find(fake, mixed(goodLines(5000), GARBAGE));
    expect([...found.keys()].sort()).toEqual([...GARBAGE].sort());
    expect(new Set(found.values())).toEqual(new Set(['unable to parse: invalid field format']));
    expect(fake.stored.size).toBe(5000);
    expect(fake.requests).toBe(requests);
  });

  test('an unparsable line that is there twice is refused twice', async () => {
    const fake = new Fake({ isWholeBatch: true });
    const lines = ['garbage', ...goodLines(3), 'garbage'];
    const found = await findRefused(lines, await fake.write(lines), fake.write);
    expect(found.map(({ index }) => index)).toEqual([0, 4]);
  });

  test('points beyond the retention are found as the oldest ones', async () => {
    const fake = new Fake({ oldest: 10 * HOUR });
    const bad = Array.from({ length: 50 }, (_, index) => `m,d=old f=1.5 ${index + 1}`);
    const found = await find(fake, mixed(goodLines(5000), bad));
    expect([...found.keys()].sort()).toEqual(bad.sort());
    expect(new Set(found.values())).toEqual(new Set(['points beyond retention policy']));
    expect(fake.requests).toBe(3);
  });

  test.each([false, true])(
    'several causes at once, of which the server names one (whole batch: %s)',
    async (isWholeBatch) => {
      const fake = new Fake({ isWholeBatch, oldest: 10 * HOUR });
      const bad = [...conflicts(5), 'm,d=old f=1.5 3', 'garbage one', 'garbage two'];
      const found = await find(fake, mixed(goodLines(5000), bad));
      expect([...found.keys()].sort()).toEqual(bad.sort());
      expect(found.get('m,d=old f=1.5 3')).toBe('points beyond retention policy');
      expect(found.get('garbage one')).toBe('unable to parse: invalid field format');
      expect(found.get('m,d=bad f=0i 36000000000000')).toMatch(/^field type conflict.*float$/);
      expect(fake.stored.size).toBe(5000);
      expect(fake.requests).toBeLessThan(12);
    },
  );

  test('uses the line numbers where a version gives them', async () => {
    const verdict: Verdict = { kind: 'partly-written', reason: 'no', lines: [{ index: 2, reason: 'no such column' }] };
    const found = await findRefused(goodLines(5), verdict, () => Promise.reject(new Error('not needed')));
    expect(found).toEqual([{ index: 2, reason: 'no such column' }]);
  });

  test('a refusal in unknown words leads to the lines by halves', async () => {
    const bad = new Set(conflicts(3));
    let requests = 0;
    const write = (lines: readonly string[]): Promise<Verdict> => {
      requests += 1;
      return Promise.resolve(
        lines.some((line) => bad.has(line)) ? { kind: 'refused', reason: 'odd' } : { kind: 'written' },
      );
    };
    const lines = mixed(goodLines(5000), [...bad]);
    const found = await findRefused(lines, await write(lines), write);
    expect(found.map(({ index }) => lines[index])).toEqual(lines.filter((line) => bad.has(line)));
    expect(requests).toBeLessThan(60);
  });

  test('a limit that all lines of a half have hit needs no single requests', async () => {
    const isNew = (line: string): boolean => line.startsWith('m,d=new');
    let requests = 0;
    const write = (lines: readonly string[]): Promise<Verdict> => {
      requests += 1;
      const count = lines.filter(isNew).length;
      const reason = `partial write: max-series-per-database limit exceeded: (1000) dropped=${count}`;
      return Promise.resolve(count === 0 ? { kind: 'written' } : { kind: 'partly-written', reason });
    };
    const bad = Array.from({ length: 1024 }, (_, index) => `m,d=new${index} f=1.5 ${index}`);
    const lines = mixed(goodLines(3976), bad);
    const found = await findRefused(lines, await write(lines), write);
    expect(found).toHaveLength(1024);
    expect(requests).toBeLessThan(40);
  });

  test('lines of one point keep their order, though only one of them is suspected', async () => {
    // In the later shard the integer is right: the line is a suspect by its looks alone.
    const isConflict = (line: string): boolean => line.includes('f=7i') && line.endsWith(` ${10 * HOUR}`);
    const fields = new Map<string, string>();
    const write = (lines: readonly string[]): Promise<Verdict> => {
      const bad = lines.filter(isConflict);
      for (const line of lines) {
        const { tags, time } = parseLine(line);
        const [, text = ''] = line.split(' ');
        if (bad.includes(line)) continue;
        for (const field of text.split(',')) fields.set(`${tags['d'] ?? ''} ${time} ${field[0] ?? ''}`, field);
      }
      const text =
        'field type conflict: input field "f" on measurement "m" is type integer, already exists as type float';
      return Promise.resolve(
        bad.length === 0
          ? { kind: 'written' }
          : { kind: 'partly-written', reason: `partial write: ${text} dropped=${bad.length}` },
      );
    };
    const lines = [
      `m,d=1 f=7i,g=1i ${20 * HOUR}`,
      `m,d=1 g=2i ${20 * HOUR}`,
      `m,d=2 f=7i ${10 * HOUR}`,
      ...goodLines(10),
    ];
    const found = await findRefused(lines, await write(lines), write);
    expect(found.map(({ index }) => index)).toEqual([2]);
    expect(fields.get(`1 ${20 * HOUR} g`)).toBe('g=2i');
  });

  test('of several lines for one point the last one still counts', async () => {
    const fake = new Fake();
    const lines = ['m,d=1 f=1.5 5', 'm,d=1 g=2i,f=3.5 5', 'm,d=1 f=7i 5', 'm,d=1 f=4.5 5', ...goodLines(10)];
    const found = await find(fake, lines);
    expect([...found.keys()]).toEqual(['m,d=1 f=7i 5']);
    expect(fake.stored.get('{"d":"1"} 5')).toBe('m,d=1 f=4.5 5');
  });
});
