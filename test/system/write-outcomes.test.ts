import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lineOf } from '../../nodes/lib/influx/line-protocol';
import type { WriteOutcome } from '../../nodes/lib/influx/outcome';
import { findRefused, type Verdict } from '../../nodes/lib/influx/refused-lines';
import type { SeriesRows } from '../../nodes/lib/influx/query';
import { connect } from '../../nodes/lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../../nodes/lib/influx/server';
import type { FieldValue, Point } from '../../nodes/lib/point';
import { targetKinds, uniqueName, type Target } from '../support/facade/targets';
import { RandomPoints } from '../unit/influx/random-points';

const HOUR = 3_600_000;
/** In one shard, whatever the retention; not in the future. */
const START = BigInt(Math.floor(Date.now() / HOUR) - 1) * BigInt(HOUR) * 1_000_000n;

function timeOf(index: number): string {
  return (START + BigInt(index)).toString();
}

function goodLines(measurement: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${measurement},d=d${index % 7} f=${index}.5 ${timeOf(index)}`);
}

/** At other times than good lines have. */
function conflictingLines(measurement: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${measurement},d=bad f=${index}i ${timeOf(1_000_000 + index)}`);
}

function unparsableLines(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `garbage line ${index}`);
}

function pastLines(measurement: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${measurement},d=old f=${index}.5 ${1_000_000_000 + index}`);
}

/** The bad lines spread over the good ones. */
function spread(good: string[], bad: string[]): string[] {
  const lines = [...good];
  const step = Math.floor(good.length / bad.length);
  for (const [index, line] of bad.entries()) lines.splice(index * (step + 1), 0, line);
  return lines;
}

describe.each(targetKinds())('write outcomes of $name', ({ version, start }) => {
  let target: Target;
  let server: InfluxServer;
  let bucket: string;
  const opened: InfluxServer[] = [];

  beforeAll(async () => {
    target = await start();
    bucket = await target.createBucket();
    server = open();
  });

  afterAll(async () => {
    for (const each of opened) each.close();
    await target.cleanUp();
    target.assertHonest();
  });

  function open(changes: Partial<ConnectOptions> = {}): InfluxServer {
    const opening = connect({ ...target.options, ...changes });
    opened.push(opening);
    return opening;
  }

  function write(lines: readonly string[], to = bucket, by = server): Promise<WriteOutcome> {
    return by.write(to, lines.join('\n'), new AbortController().signal);
  }

  async function read(statement: string, from = bucket): Promise<SeriesRows[]> {
    const blocks: SeriesRows[] = [];
    for await (const block of server.query(from, statement, new AbortController().signal)) blocks.push(block);
    return blocks;
  }

  async function count(measurement: string, from = bucket): Promise<number> {
    const [block] = await read(`SELECT count("f") FROM "${measurement}"`, from);
    return Number(block?.rows[0]?.[0] ?? 0);
  }

  /** Writes as the writer does; the refused lines with their reasons, and the requests that it took. */
  async function writeAll(
    lines: readonly string[],
    to = bucket,
  ): Promise<{ refused: Map<string, string>; requests: number }> {
    let requests = 0;
    const send = async (some: readonly string[]): Promise<Verdict> => {
      requests += 1;
      const outcome = await write(some, to);
      if (outcome.kind === 'retry' || outcome.kind === 'configuration') throw new Error(outcome.reason);
      return outcome;
    };
    const found = await findRefused(lines, await send(lines), send);
    return { refused: new Map(found.map(({ index, reason }) => [lines[index] ?? '', reason])), requests };
  }

  test.each([true, false])('good lines are stored (compressed: %s)', async (gzip) => {
    const measurement = uniqueName();
    expect(await write(goodLines(measurement, 3000), bucket, open({ gzip }))).toEqual({ kind: 'written' });
    expect(await count(measurement)).toBe(3000);
  });

  test('a point sent again overwrites itself', async () => {
    const measurement = uniqueName();
    const lines = goodLines(measurement, 10);
    expect(await write(lines)).toEqual({ kind: 'written' });
    expect(await write(lines)).toEqual({ kind: 'written' });
    expect(await count(measurement)).toBe(10);
  });

  test.each([1, 2])('values and tags come back exactly (seed %i)', async (seed) => {
    const random = new RandomPoints(seed);
    const fieldOf = (type: FieldValue['type']): FieldValue => {
      let field = random.field();
      while (field.type !== type) field = random.field();
      return field;
    };
    const measurement = uniqueName();
    const points = Array.from({ length: 200 }, (_, index): Point => ({
      bucket,
      measurement,
      tags: { t: random.tagValue(), u: random.tagValue() },
      fields: { f: fieldOf('float'), i: fieldOf('integer'), b: fieldOf('boolean'), s: fieldOf('string') },
      time: timeOf(index),
    }));
    expect(await write(points.map(lineOf))).toEqual({ kind: 'written' });

    const blocks = await read(`SELECT "f", "i", "b", "s" FROM "${measurement}" GROUP BY *`);
    const byTime = new Map(
      blocks.flatMap(({ tags, columns, times, rows }) =>
        rows.map((row, index): [string, unknown] => [
          String(times[index]),
          { tags, ...Object.fromEntries(columns.map((name, column) => [name, row[column]])) },
        ]),
      ),
    );
    expect(byTime.size).toBe(points.length);
    for (const { tags, fields, time } of points) {
      const [f, i, b, s] = ['f', 'i', 'b', 's'].map((name) => fields[name]?.value);
      expect(byTime.get(time)).toStrictEqual({ tags, f, i: BigInt(String(i)), b, s });
    }
  });

  // Names in 3.x are its own matter: there a table or column may not be called as it likes.
  test.skipIf(version === '3')('awkward names come back exactly', async () => {
    const random = new RandomPoints(5);
    for (let index = 0; index < 30; index++) {
      const made = random.point();
      const measurement = `${uniqueName()} ${made.measurement}`;
      const key = random.name();
      const point = {
        ...made,
        measurement,
        fields: { [key]: { type: 'float' as const, value: index } },
        time: timeOf(index),
      };
      expect(await write([lineOf(point)])).toEqual({ kind: 'written' });
      const quoted = measurement.replace(/["\\]/g, '\\$&');
      const [block] = await read(`SELECT * FROM "${quoted}" GROUP BY *`);
      expect(block).toMatchObject({ columns: [key], times: [BigInt(timeOf(index))], rows: [[index]], tags: made.tags });
    }
  });

  test.each([1, 3, 50])('%i lines with another type than their field are refused, all others stored', async (bad) => {
    const measurement = uniqueName();
    await write(goodLines(measurement, 1));
    const conflicting = conflictingLines(measurement, bad);
    const lines = spread(goodLines(measurement, 5000 - bad), conflicting);
    expect(await write(lines)).toMatchObject({ kind: 'partly-written' });
    const { refused, requests } = await writeAll(lines);
    expect([...refused.keys()].sort()).toEqual([...conflicting].sort());
    for (const reason of refused.values()) expect(reason).toMatch(/type/);
    expect(await count(measurement)).toBe(5000 - bad);
    expect(requests).toBe(version === '3' ? 1 : 3);
  });

  test.each([1, 3, 50])('%i lines that cannot be parsed are refused, all others stored', async (bad) => {
    const measurement = uniqueName();
    const unparsable = unparsableLines(bad);
    const lines = spread(goodLines(measurement, 5000 - bad), unparsable);
    expect(await write(lines)).toMatchObject({ kind: version === '2' ? 'refused' : 'partly-written' });
    const { refused, requests } = await writeAll(lines);
    expect([...refused.keys()].sort()).toEqual([...unparsable].sort());
    for (const reason of refused.values()) expect(reason).not.toContain('garbage line 1');
    expect(await count(measurement)).toBe(5000 - bad);
    expect(requests).toBe(version === '2' ? 2 : 1);
  });

  test.skipIf(version === '3').each([1, 3, 50])(
    '%i points beyond the retention are refused, all others stored',
    async (bad) => {
      const measurement = uniqueName();
      const short = await target.createBucket(86_400);
      const past = pastLines(measurement, bad);
      const lines = spread(goodLines(measurement, 5000 - bad), past);
      expect(await write(lines, short)).toMatchObject({ kind: 'partly-written' });
      const { refused, requests } = await writeAll(lines, short);
      expect([...refused.keys()].sort()).toEqual([...past].sort());
      for (const reason of refused.values()) expect(reason).toMatch(/retention policy/i);
      expect(await count(measurement, short)).toBe(5000 - bad);
      expect(requests).toBe(3);
    },
  );

  test('lines with different faults are all refused, each with its own reason', async () => {
    const measurement = uniqueName();
    await write(goodLines(measurement, 1));
    const conflicting = conflictingLines(measurement, 3);
    const unparsable = [...unparsableLines(2), `${measurement} f=12abc 5`];
    const lines = spread(goodLines(measurement, 1000), [...conflicting, ...unparsable]);
    const { refused, requests } = await writeAll(lines);
    expect([...refused.keys()].sort()).toEqual([...conflicting, ...unparsable].sort());
    for (const line of conflicting) expect(refused.get(line)).toMatch(/type/);
    for (const line of unparsable) expect(refused.get(line)).not.toMatch(/type conflict/);
    expect(await count(measurement)).toBe(1000);
    expect(requests).toBeLessThan(8);
  });

  test('a batch of nothing but bad lines', async () => {
    const measurement = uniqueName();
    await write(goodLines(measurement, 1));
    const lines = [...conflictingLines(measurement, 2), ...unparsableLines(2)];
    const { refused } = await writeAll(lines);
    expect([...refused.keys()].sort()).toEqual([...lines].sort());
    expect(await count(measurement)).toBe(1);
  });

  test('a single bad line', async () => {
    const { refused, requests } = await writeAll(unparsableLines(1));
    expect([...refused.keys()]).toEqual(unparsableLines(1));
    expect(requests).toBe(1);
  });

  test('wrong credentials are for the operator to put right', async () => {
    const wrong = open({ token: 'wrong', password: 'wrong' });
    expect(await write(goodLines('m', 1), bucket, wrong)).toMatchObject({ kind: 'configuration' });
    expect(await wrong.test()).toMatchObject({ ok: false, code: 'unauthorized' });
  });

  test('a missing bucket is for the operator to put right; 3.x makes it', async () => {
    const missing = uniqueName();
    if (version === '3') {
      expect(await server.test(missing)).toMatchObject({ ok: true });
      expect(await write(goodLines('m', 1), missing)).toEqual({ kind: 'written' });
      expect(await count('m', missing)).toBe(1);
      await target.cleanUp(missing);
      bucket = await target.createBucket();
      return;
    }
    const outcome = await write(goodLines('m', 1), missing);
    expect(outcome).toMatchObject({ kind: 'configuration', reason: expect.stringContaining(missing) as string });
    expect(await server.test(missing)).toMatchObject({
      ok: false,
      code: 'not-found',
      message: expect.stringContaining(missing) as string,
    });
  });

  test.skipIf(version === '3')('a missing organization or database is for the operator to put right', async () => {
    const missing = uniqueName();
    const wrong = open({ organization: missing, database: missing });
    const reason = expect.stringContaining(missing) as string;
    expect(await write(goodLines('m', 1), bucket, wrong)).toMatchObject({ kind: 'configuration', reason });
    expect(await wrong.test()).toMatchObject({ ok: false, code: 'not-found', message: reason });
  });

  test('the connection test finds nothing wrong', async () => {
    const ready = { ok: true, code: 'ok', serverVersion: expect.stringMatching(`^${version}\\.`) as string };
    expect(await server.test()).toMatchObject(ready);
    expect(await server.test(bucket)).toMatchObject(ready);
  });

  test('the connection test tells which version it is', async () => {
    const { token = 'none' } = target.options;
    for (const chosen of ['1', '2', '3'] as const) {
      // 3.x says nothing to who has no token, and a client of 1.x has none.
      if (chosen === version || (version === '3' && chosen === '1')) continue;
      const other = open({ version: chosen, database: 'iot', organization: 'iot', token });
      const result = await other.test();
      expect(result).toMatchObject({ ok: false, code: 'wrong-version' });
      expect(result.message).toMatch(new RegExp(`InfluxDB ${version}\\..*choose ${version}\\.x`));
    }
  });
});
