import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quotedName, quotedText } from '../../../nodes/lib/influx/influxql';
import type { SeriesRows } from '../../../nodes/lib/influx/query';
import { connect } from '../../../nodes/lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../../../nodes/lib/influx/server';
import { until } from '../../support/until';

/** A document of one series with as many rows as times; `partial`: what says that more follows. */
function documentOf(times: number[], tags: Record<string, string> = {}, partial?: 'result' | 'series'): Buffer {
  const parts: Buffer[] = [];
  const text = (value: string): number => parts.push(Buffer.of(0xd9, value.length), Buffer.from(value));
  const head = (type: number, count: number): number => parts.push(Buffer.of(type + count));
  const mark = (): void => {
    text('partial');
    parts.push(Buffer.of(0xc3));
  };
  head(0x80, 1);
  text('results');
  head(0x90, 1);
  head(0x80, partial === 'result' ? 2 : 1);
  if (partial === 'result') mark();
  text('series');
  head(0x90, 1);
  head(0x80, partial === 'series' ? 5 : 4);
  if (partial === 'series') mark();
  text('name');
  text('m');
  text('tags');
  head(0x80, Object.keys(tags).length);
  for (const [name, value] of Object.entries(tags)) [name, value].forEach(text);
  text('columns');
  head(0x90, 2);
  text('time');
  text('f');
  text('values');
  head(0x90, times.length);
  for (const time of times) {
    head(0x90, 2);
    parts.push(Buffer.of(time, 0xcb), Buffer.from('3ff0000000000000', 'hex'));
  }
  return Buffer.concat(parts);
}

let endpoint: Server;
let server: InfluxServer;
let url: string;
let handle: (response: ServerResponse) => void;
let asked: { url: string; accept: string | undefined; body: URLSearchParams }[];

/** How 2.x is asked which organization its token reads; here the right one, and no other that the token may read. */
const ORGANIZATION_ANSWERS: [RegExp, object][] = [
  [/SHOW DATABASES/, { results: [{ statement_id: 0, series: [{ name: 'databases', values: [['raw']] }] }] }],
  [/^\/api\/v2\/dbrps/, { content: [{ database: 'raw', orgID: 'a' }] }],
  [/^\/api\/v2\/buckets.*offset=0/, { buckets: [{ orgID: 'a' }] }],
  [/^\/api\/v2\/buckets/, { buckets: [] }],
];

function open(more: Partial<ConnectOptions> = {}): void {
  server.close();
  server = connect({ version: '1', url, database: 'iot', organization: 'org', token: 'token', timeout: 5000, ...more });
}

beforeEach(async () => {
  asked = [];
  endpoint = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = new URLSearchParams(Buffer.concat(parts).toString());
      const what = `${request.url ?? ''} ${body.get('q') ?? ''}`;
      const ofOrganization = ORGANIZATION_ANSWERS.find(([pattern]) => pattern.test(what))?.[1];
      if (ofOrganization) {
        response.end(JSON.stringify(ofOrganization));
        return;
      }
      asked.push({ url: request.url ?? '', accept: request.headers.accept, body });
      handle(response);
    });
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
  server = connect({ version: '1', url, database: 'iot', timeout: 5000 });
});

afterEach(async () => {
  server.close();
  endpoint.closeAllConnections();
  await new Promise((resolve) => endpoint.close(resolve));
});

async function read(signal = new AbortController().signal): Promise<SeriesRows[]> {
  const blocks: SeriesRows[] = [];
  for await (const block of server.query('raw', 'SELECT "f" FROM "m"', signal)) blocks.push(block);
  return blocks;
}

function connections(): Promise<number> {
  return new Promise((resolve, reject) => {
    endpoint.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

test.each<[ConnectOptions['version'], Record<string, string>]>([
  ['1', { db: 'iot', rp: 'raw' }],
  ['2', { db: 'raw', rp: 'autogen' }],
])('%s.x is asked for exact values, in chunks', async (version, place) => {
  open({ version });
  handle = (response) => response.end(documentOf([1]));
  await read();
  expect(asked).toMatchObject([{ url: '/query', accept: 'application/x-msgpack' }]);
  expect(Object.fromEntries(asked[0]?.body ?? [])).toEqual({
    ...place,
    q: 'SELECT "f" FROM "m"',
    epoch: 'ns',
    chunked: 'true',
    chunk_size: '5000',
  });
});

test('documents that come in pieces, some of one series', async () => {
  const documents = [documentOf([1, 2], { a: 'x' }), documentOf([3], { a: 'x' }), documentOf([1], { a: '' })];
  handle = (response) => {
    for (const byte of Buffer.concat(documents)) response.write(Buffer.of(byte));
    response.end();
  };
  expect(await read()).toMatchObject([
    { tags: { a: 'x' }, times: [1n, 2n], rows: [[1], [1]], more: true },
    { tags: { a: 'x' }, times: [3n], more: false },
    { tags: {}, times: [1n], more: false },
  ]);
});

test.each(['result', 'series'] as const)(
  'an answer without a length that ends before its last %s does',
  async (part) => {
    handle = (response) => {
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = false;
      response.write(documentOf([1, 2], { a: 'x' }, part));
      response.end(documentOf([3], { a: 'x' }, part));
    };
    await expect(read()).rejects.toMatchObject({
      code: 'unreachable',
      message: 'the answer breaks off before its end',
    });
    handle = (response) => {
      response.write(documentOf([1, 2], { a: 'x' }, part));
      response.end(documentOf([3], { a: 'x' }));
    };
    expect(await read()).toHaveLength(2);
  },
);

test('an answer may take longer than the time-out as long as it goes on', async () => {
  open({ timeout: 200 });
  handle = (response) => {
    let part = 0;
    const timer = setInterval(() => {
      response.write(documentOf([++part], { a: String(part) }));
      if (part < 6) return;
      clearInterval(timer);
      response.end();
    }, 60);
  };
  expect(await read()).toHaveLength(6);
});

test('an answer that stops is given up, with its connection', async () => {
  open({ timeout: 50 });
  handle = (response) => void response.write(documentOf([1]));
  await expect(read()).rejects.toMatchObject({
    name: 'QueryError',
    code: 'timeout',
    message: expect.stringContaining('no answer within 0.05 s') as string,
  });
  await until('no connection is left', async () => (await connections()) === 0);
});

test('no answer at all', async () => {
  open({ timeout: 50 });
  handle = () => undefined;
  await expect(read()).rejects.toMatchObject({ code: 'timeout' });
});

test('an abort while nothing comes', async () => {
  handle = (response) => void response.write(documentOf([1]));
  const abort = new AbortController();
  const reading = read(abort.signal);
  await until('the request is there', () => asked.length === 1);
  abort.abort(new Error('enough'));
  await expect(reading).rejects.toThrow('enough');
  await until('no connection is left', async () => (await connections()) === 0);
  await expect(read(abort.signal)).rejects.toThrow('enough');
  expect(asked).toHaveLength(1);
});

test('an answer that breaks off is none', async () => {
  handle = (response) => {
    response.write(documentOf([1]));
    response.write(documentOf([2]).subarray(0, 20), () => response.destroy());
  };
  await expect(read()).rejects.toMatchObject({ code: 'unreachable' });
  handle = (response) => response.end(documentOf([2]).subarray(0, 20));
  await expect(read()).rejects.toMatchObject({ code: 'unreachable', message: 'the answer breaks off before its end' });
});

test.each(['<html>log in</html>', '{"results":[]}', ''])('%j is not taken for an answer without rows', async (body) => {
  handle = (response) => response.end(body);
  await expect(read()).rejects.toMatchObject({ code: 'unreachable' });
});

test.each([
  [401, '{"error":"authorization failed"}', 'application/json', 'unauthorized', 'authorization failed'],
  [403, '{"code":"forbidden","message":"no"}', 'application/json', 'forbidden', 'no'],
  [404, 'page not found', 'text/plain', 'not-found', 'the server answers HTTP 404'],
  [502, '<h1>Bad Gateway</h1>', 'text/html', 'unreachable', 'the server answers HTTP 502'],
])('HTTP %i', async (status, body, type, code, message) => {
  handle = (response) => response.writeHead(status, { 'content-type': type }).end(body);
  await expect(read()).rejects.toMatchObject({ code, message });
});

test('names and texts are quoted whatever they hold', () => {
  expect(quotedName('a"b\\c\nd')).toBe('"a\\"b\\\\c\\nd"');
  expect(quotedText("it's \\ a\nline")).toBe("'it\\'s \\\\ a\\nline'");
});
