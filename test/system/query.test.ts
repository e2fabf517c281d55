import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quotedName, quotedText } from '../../nodes/lib/influx/influxql';
import { lineOf } from '../../nodes/lib/influx/line-protocol';
import type { QueryError, SeriesRows } from '../../nodes/lib/influx/query';
import { connect } from '../../nodes/lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../../nodes/lib/influx/server';
import type { Point } from '../../nodes/lib/point';
import { targetKinds, uniqueName, type Target } from '../support/facade/targets';

const HOUR = 3_600_000;
const START = BigInt(Math.floor(Date.now() / HOUR) - 1) * BigInt(HOUR) * 1_000_000n;

describe.each(targetKinds())('queries of $name', ({ version, start }) => {
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

  async function write(lines: readonly string[]): Promise<void> {
    const outcome = await server.write(bucket, lines.join('\n'), new AbortController().signal);
    expect(outcome).toEqual({ kind: 'written' });
  }

  async function read(statement: string, from = bucket, by = server): Promise<SeriesRows[]> {
    const blocks: SeriesRows[] = [];
    for await (const block of by.query(from, statement, new AbortController().signal)) blocks.push(block);
    return blocks;
  }

  async function failure(statement: string, from = bucket, by = server): Promise<QueryError> {
    return read(statement, from, by).then(
      () => {
        throw new Error('there is an answer');
      },
      (error: unknown) => error as QueryError,
    );
  }

  test('types, digits, times and texts survive', async () => {
    const measurement = uniqueName();
    const awkward = 'a"b\\c\'d\ne,f=g h';
    const points: Point[] = [
      {
        bucket,
        measurement,
        tags: { t: 'x "y"' },
        fields: {
          b: { type: 'boolean', value: true },
          f: { type: 'float', value: 1 },
          i: { type: 'integer', value: 9_223_372_036_854_775_807n },
          s: { type: 'string', value: awkward },
        },
        time: (START + 1n).toString(),
      },
      {
        bucket,
        measurement,
        tags: { t: 'x "y"' },
        fields: { i: { type: 'integer', value: -1 } },
        time: (START + 2n).toString(),
      },
    ];
    await write(points.map(lineOf));
    expect(
      await read(`SELECT * FROM ${quotedName(measurement)} WHERE "t" = ${quotedText('x "y"')} GROUP BY *`),
    ).toEqual([
      {
        measurement,
        tags: { t: 'x "y"' },
        columns: ['b', 'f', 'i', 's'],
        times: [START + 1n, START + 2n],
        rows: [
          [true, 1, 9_223_372_036_854_775_807n, awkward],
          [null, null, -1n, null],
        ],
        more: false,
      },
    ]);
    expect(await read(`SELECT "i" FROM ${quotedName(measurement)} WHERE "s" = ${quotedText(awkward)}`)).toMatchObject([
      { times: [START + 1n] },
    ]);
  });

  test('tags that a series has not are left out', async () => {
    const measurement = uniqueName();
    await write([`${measurement},a=1 f=1 ${START}`, `${measurement},a=1,b=2 f=2 ${START}`]);
    const blocks = await read(`SELECT "f" FROM ${quotedName(measurement)} GROUP BY *`);
    // 3.x gives what lacks a tag last, the others first.
    const inOrder = blocks
      .map(({ tags }) => tags)
      .sort((one, other) => Object.keys(one).length - Object.keys(other).length);
    expect(inOrder).toEqual([{ a: '1' }, { a: '1', b: '2' }]);
  });

  test.skipIf(version === '3')('names with quotes and backslashes are found', async () => {
    const measurement = `${uniqueName()} "a\\b" ö`;
    const point: Point = {
      bucket,
      measurement,
      tags: {},
      fields: { 'f "x"\\y': { type: 'float', value: 2.5 } },
      time: START.toString(),
    };
    await write([lineOf(point)]);
    const [block] = await read(`SELECT ${quotedName('f "x"\\y')} FROM ${quotedName(measurement)}`);
    expect(block).toMatchObject({ measurement, columns: ['f "x"\\y'], rows: [[2.5]] });
  });

  test('long series come in blocks, each of which says whether it is the last', async () => {
    const measurement = uniqueName();
    const rows = 12_000;
    const lines = ['a', 'b'].flatMap((tag) =>
      Array.from({ length: rows }, (_, index) => `${measurement},t=${tag} f=${index} ${START + BigInt(index)}`),
    );
    await write(lines.slice(0, rows));
    await write(lines.slice(rows));
    const blocks = await read(`SELECT "f" FROM ${quotedName(measurement)} GROUP BY *`);
    expect(Math.max(...blocks.map((block) => block.rows.length))).toBeLessThanOrEqual(5000);
    for (const tag of ['a', 'b']) {
      const ofSeries = blocks.filter(({ tags }) => tags['t'] === tag);
      expect(ofSeries.flatMap((block) => block.rows)).toEqual(Array.from({ length: rows }, (_, index) => [index]));
      expect(ofSeries.map(({ more }) => more)).toEqual(ofSeries.map((_, index) => index < ofSeries.length - 1));
    }
  });

  test('an answer need not be read to its end', async () => {
    const measurement = uniqueName();
    await write(Array.from({ length: 12_000 }, (_, index) => `${measurement} f=${index} ${START + BigInt(index)}`));
    for await (const block of server.query(
      bucket,
      `SELECT "f" FROM ${quotedName(measurement)}`,
      new AbortController().signal,
    )) {
      expect(block.more).toBe(true);
      break;
    }
    expect(await read(`SELECT count("f") FROM ${quotedName(measurement)}`)).toMatchObject([{ rows: [[12_000n]] }]);
  });

  test('an abort ends it with its reason', async () => {
    const measurement = uniqueName();
    await write(Array.from({ length: 12_000 }, (_, index) => `${measurement} f=${index} ${START + BigInt(index)}`));
    const abort = new AbortController();
    const reading = async (): Promise<void> => {
      for await (const block of server.query(bucket, `SELECT "f" FROM ${quotedName(measurement)}`, abort.signal)) {
        abort.abort(new Error(`enough after ${block.rows.length}`));
      }
    };
    await expect(reading()).rejects.toThrow(/^enough after/);
    await expect(reading()).rejects.toThrow(/^enough after/);
  });

  test('what is not there has no rows', async () => {
    expect(await read(`SELECT "f" FROM ${quotedName(uniqueName())}`)).toEqual([]);
  });

  test('statements that list have no times', async () => {
    const measurement = uniqueName();
    await write([`${measurement},t=a f=1,i=1i ${START}`]);
    const [fields] = await read(`SHOW FIELD KEYS FROM ${quotedName(measurement)}`);
    expect(fields).toMatchObject({ measurement, columns: ['fieldKey', 'fieldType'], times: [] });
    expect(fields?.rows).toEqual([
      ['f', 'float'],
      ['i', 'integer'],
    ]);
  });

  test('what cannot be answered says so', async () => {
    const missing = uniqueName();
    expect(await failure('SELECT "f" FROM "m"', missing)).toMatchObject({
      name: 'QueryError',
      code: 'not-found',
      message: expect.stringContaining(missing) as string,
    });
    expect(await failure('SELECT FROM')).toMatchObject({ code: 'statement' });
    const wrong = open({ token: 'wrong', password: 'wrong' });
    expect(await failure('SELECT "f" FROM "m"', bucket, wrong)).toMatchObject({ code: 'unauthorized' });
    const nowhere = open({ url: 'http://127.0.0.1:9' });
    expect(await failure('SELECT "f" FROM "m"', bucket, nowhere)).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('Nothing listens at 127.0.0.1:9') as string,
    });
  });

  test('an error within an answer of status 200', async () => {
    const measurement = uniqueName();
    await write([`${measurement} s="x" ${START}`]);
    expect(await failure(`SELECT mean("s") FROM ${quotedName(measurement)}`)).toMatchObject({ code: 'statement' });
  });
});
