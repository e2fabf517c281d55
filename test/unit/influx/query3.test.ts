import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../../nodes/lib/influx/connect';
import { readRow } from '../../../nodes/lib/influx/json-row';
import type { SeriesRows, Value } from '../../../nodes/lib/influx/query';
import type { InfluxServer } from '../../../nodes/lib/influx/server';

interface Asked {
  url: string;
  body: { db: string; q: string; format: string };
}

let endpoint: Server;
let server: InfluxServer;
let asked: Asked[];
/** Of `m`. */
let fields: string[];
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  asked = [];
  fields = ['f', 's'];
  endpoint = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as Asked['body'];
      asked.push({ url: request.url ?? '', body });
      if (!body.q.startsWith('SHOW FIELD KEYS FROM')) {
        answer(response);
        return;
      }
      response.end(
        fields
          .map((fieldKey) => `${JSON.stringify({ 'iox::measurement': 'm', fieldKey, fieldType: 'any' })}\n`)
          .join(''),
      );
    });
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
  server = connect({ version: '3', url, token: 'token', timeout: 5000 });
});

afterEach(async () => {
  server.close();
  endpoint.closeAllConnections();
  await new Promise((resolve) => endpoint.close(resolve));
});

const MOMENT = '2026-12-01T00:00:00.00000000';
const START = BigInt(Date.parse('2026-12-01T00:00:00Z')) * 1_000_000n;

function rowText(more: string, nanosecond = 1): string {
  return `{"iox::measurement":"m","time":"${MOMENT}${nanosecond}"${more === '' ? '' : ','}${more}}\n`;
}

async function read(statement = 'SELECT * FROM "m" GROUP BY *'): Promise<SeriesRows[]> {
  const blocks: SeriesRows[] = [];
  for await (const block of server.query('raw', statement, new AbortController().signal)) blocks.push(block);
  return blocks;
}

test('it is asked for rows a line', async () => {
  answer = (response) => response.end();
  expect(await read()).toEqual([]);
  expect(asked).toEqual([
    { url: '/api/v3/query_influxql', body: { db: 'raw', q: 'SELECT * FROM "m" GROUP BY *', format: 'jsonl' } },
  ]);
});

test('types by their spelling, all digits, and what is null left out', async () => {
  answer = (response) => {
    response.write(rowText('"t":"a","f":20.0,"i":9223372036854775807,"s":"x","b":true', 1));
    response.write(rowText('"t":"a","f":-0.0,"u":18446744073709551615', 2));
    response.end(rowText('"t":"a","f":1e300,"i":20', 3));
  };
  const [block, ...others] = await read();
  expect(others).toEqual([]);
  expect(block).toStrictEqual({
    measurement: 'm',
    tags: { t: 'a' },
    columns: ['f', 'i', 's', 'b', 'u'],
    times: [START + 1n, START + 2n, START + 3n],
    rows: [
      [20, 9_223_372_036_854_775_807n, 'x', true, null],
      [-0, null, null, null, 18_446_744_073_709_551_615n],
      [1e300, 20n, null, null, null],
    ],
    more: false,
  });
});

test('tags and text fields are told apart by SHOW FIELD KEYS, also those that come later', async () => {
  answer = (response) => response.end(rowText('"t":"a","s":"text"') + rowText('"t":"a","s":"other"', 2));
  expect(await read()).toMatchObject([{ tags: { t: 'a' }, columns: ['s'], rows: [['text'], ['other']] }]);
  expect(asked).toHaveLength(2);
  fields = ['f', 's', 'later'];
  answer = (response) => response.end(rowText('"t":"a","later":"text"') + rowText('"t":"a","later":"other"', 2));
  expect(await read()).toMatchObject([{ tags: { t: 'a' }, columns: ['later'], rows: [['text'], ['other']] }]);
  expect(asked).toHaveLength(4);
  await read();
  expect(asked).toHaveLength(5);
});

test('without a grouping there are no tags, and the fields need not be known', async () => {
  answer = (response) => response.end(rowText('"t":"a","f":1.0'));
  expect(await read('SELECT * FROM "m"')).toMatchObject([{ tags: {}, columns: ['t', 'f'], rows: [['a', 1]] }]);
  expect(asked).toHaveLength(1);
});

test('rows that come in pieces, also within a character', async () => {
  const text = [rowText('"t":"ä€","f":1.0'), rowText('"t":"ä€","f":2.0', 2), rowText('"f":3.0', 3)].join('');
  answer = (response) => {
    for (const byte of Buffer.from(text)) response.write(Buffer.of(byte));
    response.end();
  };
  expect(await read()).toMatchObject([
    { tags: { t: 'ä€' }, times: [START + 1n, START + 2n], rows: [[1], [2]], more: false },
    { tags: {}, times: [START + 3n], rows: [[3]], more: false },
  ]);
});

test('a long series comes in blocks that say whether it goes on', async () => {
  const rows = 12_000;
  answer = (response) => {
    for (let row = 0; row < rows; row++) response.write(`{"iox::measurement":"m","t":"a","f":${row}.0}\n`);
    response.end(`{"iox::measurement":"m","t":"b","f":0.0}\n`);
  };
  const blocks = await read();
  expect(blocks.map(({ rows: { length }, more }) => [length, more])).toEqual([
    [5000, true],
    [5000, true],
    [2000, false],
    [1, false],
  ]);
});

describe('what breaks off is an error', () => {
  test.each([
    ['within a row', (response: ServerResponse) => response.end(rowText('"f":1.0') + rowText('"f":1.0').slice(0, 30))],
    [
      'between two rows',
      (response: ServerResponse) => {
        response.write(rowText('"f":1.0'), () => setImmediate(() => response.destroy()));
      },
    ],
  ])('%s', async (_, how) => {
    answer = how;
    await expect(read()).rejects.toMatchObject({ name: 'QueryError', code: 'unreachable' });
  });
});

const LIMIT =
  'query error: error while planning query: External error: Query would scan 440 Parquet files, exceeding the file limit.';

test.each([
  [401, '{"error": "the request was not authenticated"}', 'unauthorized', 'the request was not authenticated'],
  [403, '', 'forbidden', 'the server answers HTTP 403'],
  [500, 'query error: database not found: raw', 'not-found', 'query error: database not found: raw'],
  [404, '{"error":"query error: database not found: raw"}', 'not-found', 'query error: database not found: raw'],
  [
    500,
    'error in InfluxQL statement: parsing error: no',
    'statement',
    'error in InfluxQL statement: parsing error: no',
  ],
  [
    400,
    'error in InfluxQL statement: parsing error: no',
    'statement',
    'error in InfluxQL statement: parsing error: no',
  ],
  [500, LIMIT, 'too-large', LIMIT],
  [500, 'object store error', 'unreachable', 'the server answers HTTP 500'],
  [502, '<h1>Bad Gateway</h1>', 'unreachable', 'the server answers HTTP 502'],
])('HTTP %i %s', async (status, body, code, message) => {
  answer = (response) => response.writeHead(status).end(body);
  await expect(read()).rejects.toMatchObject({ code, message });
});

test.each([
  '<html>log in</html>\n',
  '[1]\n',
  '{"a":[1]}\n',
  '{"a":1}x\n',
  '{"a":tru}\n',
  '{"time":"now"}\n',
  '{a:1}\n',
])('%j is not taken for rows', async (body) => {
  answer = (response) => response.end(body);
  await expect(read()).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('does not answer as InfluxDB does') as string,
  });
});

test('names and texts with escapes', () => {
  const seen: [string, Value][] = [];
  const row = { 'a"\\b': 'line\n"quoted" \\ \u0001 \u{1F600}', ö: '', c: null, d: false };
  readRow(JSON.stringify(row), (name, value) => seen.push([name, value]));
  expect(Object.fromEntries(seen)).toEqual(row);
});

test('the time to read a row grows with its length, not faster', () => {
  const timeFor = (length: number): number => {
    const text = JSON.stringify({ s: '\\"'.repeat(length), t: 'x' });
    const started = performance.now();
    readRow(text, () => undefined);
    return performance.now() - started;
  };
  timeFor(100_000);
  expect(timeFor(1_600_000)).toBeLessThan(200 * Math.max(1, timeFor(100_000)));
});
