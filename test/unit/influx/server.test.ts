import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { retryAfterOf } from '../../../nodes/lib/influx/outcome';
import { Backoff } from '../../../nodes/lib/influx/retry';
import { connect } from '../../../nodes/lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../../../nodes/lib/influx/server';
import type { Fault } from '../../support/facade/faults';
import { FaultyServer } from '../../support/facade/faulty-server';
import { freePort } from '../../support/ports';
import { until } from '../../support/until';

let endpoint: FaultyServer;
let server: InfluxServer;

/** For any version. */
function options(more: Partial<ConnectOptions> = {}): ConnectOptions {
  const credentials = { username: 'user', password: 'pa55', token: 'secret-token' };
  return {
    version: '1',
    url: endpoint.url,
    database: 'iot',
    organization: 'org',
    timeout: 5000,
    ...credentials,
    ...more,
  };
}

function open(more: Partial<ConnectOptions> = {}): InfluxServer {
  server.close();
  server = connect(options(more));
  return server;
}

function write(body = 'm f=1 1', signal = new AbortController().signal) {
  return server.write('raw', body, signal);
}

function answer(status: number, body = '', headers: Record<string, string> = {}): Fault {
  return { kind: 'answer', status, body, headers: { 'content-type': 'application/json', ...headers } };
}

beforeEach(async () => {
  endpoint = await FaultyServer.start(() => Promise.resolve({ status: 204 }));
  server = connect(options());
});

afterEach(async () => {
  server.close();
  await endpoint.close();
});

describe('what is sent', () => {
  test.each([
    ['1', '/write', { db: 'iot', rp: 'raw', precision: 'n' }, 'Basic dXNlcjpwYTU1'],
    ['2', '/api/v2/write', { org: 'org', bucket: 'raw', precision: 'ns' }, 'Token secret-token'],
    ['3', '/api/v3/write_lp', { db: 'raw', precision: 'nanosecond', accept_partial: 'true' }, 'Bearer secret-token'],
  ] as const)('%s.x', async (version, path, query, authorization) => {
    open({ version });
    expect(await write()).toEqual({ kind: 'written' });
    const [request] = endpoint.seen;
    expect(request).toMatchObject({ method: 'POST', path, headers: { authorization } });
    expect(Object.fromEntries(request?.query ?? [])).toEqual(query);
    expect(request?.body.toString()).toBe('m f=1 1');
  });

  test('names are encoded, a path before the API is kept, a pasted API path and blanks are taken off', async () => {
    open({ url: ` ${endpoint.url}/influx/api/v2/ `, version: '2', organization: 'a & b', token: ' secret-token\n' });
    await server.write('raw/1 ü', 'm f=1 1', new AbortController().signal);
    const [request] = endpoint.seen;
    expect(request?.path).toBe('/influx/api/v2/write');
    expect(request?.query.get('org')).toBe('a & b');
    expect(request?.query.get('bucket')).toBe('raw/1 ü');
    expect(request?.headers['authorization']).toBe('Token secret-token');
  });

  test('large bodies are compressed when that is wanted, and are not for a server on this machine', async () => {
    const body = 'm f=1 1\n'.repeat(500);
    await write(body);
    expect(endpoint.seen[0]?.headers['content-encoding']).toBeUndefined();
    open({ gzip: true });
    await write(body);
    expect(endpoint.seen[1]?.headers['content-encoding']).toBe('gzip');
    expect(endpoint.seen[1]?.body.length).toBeLessThan(body.length / 5);
    await write('m f=1 1');
    expect(endpoint.seen[2]?.headers['content-encoding']).toBeUndefined();
  });

  test('one connection serves one request after the other', async () => {
    for (let count = 0; count < 20; count++) await write();
    expect(endpoint.connections).toBe(1);
  });
});

describe('options that can never work', () => {
  test.each<[string, Partial<ConnectOptions>, RegExp]>([
    ['no URL', { url: '' }, /not a URL/],
    ['another protocol', { url: 'mqtt://localhost' }, /http:\/\/ or https:\/\//],
    ['credentials in the URL', { url: 'http://user:pass@localhost:8086' }, /fields of their own/],
    ['1.x without a database', { database: '' }, /database/],
    ['2.x without an organization', { version: '2', organization: '' }, /organization/],
    ['2.x without a token', { version: '2', token: ' ' }, /token/],
    ['a token with a line break in it', { version: '2', token: 'a\nb' }, /token/],
    ['a key that is none', { tls: { key: 'nonsense' } }, /TLS configuration/],
  ])('%s', (_, more, message) => {
    expect(() => connect(options(more))).toThrow(message);
    expect(() => connect(options(more))).toThrow(expect.objectContaining({ code: 'not-configured' }) as Error);
  });
});

describe('what an answer means', () => {
  const conflict =
    'field type conflict: input field "f" on measurement "m" is type integer, already exists as type float';

  test.each<[string, ConnectOptions['version'], Fault, object]>([
    ['429', '1', answer(429, '{"error":"busy"}'), { kind: 'retry', reason: 'busy (HTTP 429)' }],
    ['408', '2', answer(408), { kind: 'retry' }],
    ['503 with Retry-After', '3', answer(503, 'busy', { 'retry-after': '7' }), { kind: 'retry', retryAfter: 7 }],
    [
      'a page of a proxy',
      '2',
      answer(502, '<h1>Bad Gateway</h1>'),
      { kind: 'retry', reason: 'the server answers HTTP 502' },
    ],
    ['200 is no success', '1', answer(200, '<html>log in</html>'), { kind: 'configuration' }],
    ['a redirect', '1', answer(302, '', { location: '/login' }), { kind: 'configuration' }],
    [
      '401',
      '2',
      answer(401, '{"code":"unauthorized","message":"unauthorized access"}'),
      { kind: 'configuration', reason: 'unauthorized access (HTTP 401)' },
    ],
    ['403', '3', answer(403), { kind: 'configuration' }],
    [
      '404',
      '1',
      answer(404, '{"error":"database not found: \\"iot\\""}'),
      { kind: 'configuration', reason: 'database not found: "iot" (HTTP 404)' },
    ],
    ['413', '1', answer(413, '{"error":"Request Entity Too Large"}'), { kind: 'too-large' }],
    [
      '1.x without its policy',
      '1',
      answer(500, '{"error":"retention policy not found: raw"}'),
      { kind: 'configuration' },
    ],
    [
      '1.x with a full cache',
      '1',
      answer(500, '{"error":"engine: cache-max-memory-size exceeded: (2/1)"}'),
      { kind: 'retry' },
    ],
    [
      '1.x whose cluster keeps the points',
      '1',
      answer(500, '{"error":"hinted handoff queue not empty"}'),
      { kind: 'written' },
    ],
    [
      '1.x with a conflict',
      '1',
      answer(400, JSON.stringify({ error: `partial write: ${conflict} dropped=1` })),
      { kind: 'partly-written' },
    ],
    [
      '1.x with only unparsable lines',
      '1',
      answer(400, `{"error":"unable to parse 'x': missing fields"}`),
      { kind: 'refused' },
    ],
    [
      '2.x with a conflict',
      '2',
      answer(
        422,
        JSON.stringify({
          code: 'unprocessable entity',
          message: `failure writing points to database: partial write: ${conflict} dropped=1`,
        }),
      ),
      { kind: 'partly-written' },
    ],
    [
      'an early 2.x with a conflict',
      '2',
      answer(500, JSON.stringify({ code: 'internal error', message: conflict })),
      { kind: 'partly-written' },
    ],
    [
      '2.x with an unparsable line',
      '2',
      answer(400, `{"code":"invalid","message":"unable to parse 'x': missing fields"}`),
      { kind: 'refused' },
    ],
    [
      '3.x with a limit that is hit',
      '3',
      answer(
        422,
        '{"error":"partial write of line protocol occurred","data":[{"error_message":"too many tables","line_number":1,"original_line":"m"}]}',
      ),
      { kind: 'partly-written', lines: [{ index: 0, reason: 'too many tables' }] },
    ],
    [
      '3.x that takes all or nothing',
      '3',
      answer(
        400,
        '{"error":"line protocol parsing error","data":{"error_message":"no fields","line_number":1,"original_line":"m"}}',
      ),
      { kind: 'refused', reason: 'no fields' },
    ],
    [
      '3.x with too many databases',
      '3',
      answer(422, '{"error":"Adding a new database would exceed limit of 5 databases"}'),
      { kind: 'configuration' },
    ],
  ])('%s', async (_, version, fault, outcome) => {
    open({ version });
    endpoint.faults.inject(fault);
    expect(await write()).toMatchObject(outcome);
  });

  test.each(['1', '2'] as const)(
    '%s.x refuses in unknown words: the lines are at fault only if it takes a request without any',
    async (version) => {
      open({ version });
      endpoint.faults.inject(answer(400, '{"error":"odd","message":"odd"}'), () => true, 1);
      expect(await write()).toMatchObject({ kind: 'refused' });
      expect(endpoint.seen[1]?.body.length).toBe(0);
      endpoint.faults.inject(answer(400, '{"error":"odd","message":"odd"}'));
      expect(await write()).toMatchObject({ kind: 'configuration' });
    },
  );
});

describe('when no answer comes', () => {
  test('a time-out ends the request and its connection', async () => {
    open({ timeout: 50 });
    endpoint.faults.inject({ kind: 'hang' });
    for (let count = 0; count < 3; count++) {
      expect(await write()).toMatchObject({
        kind: 'retry',
        brokeOff: true,
        reason: expect.stringContaining('no answer within 0.05 s') as string,
      });
    }
    await until('no connection is left', () => endpoint.connections === 0);
    endpoint.faults.heal();
    expect(await write()).toEqual({ kind: 'written' });
  });

  test('an abort rejects with its reason and ends the connection', async () => {
    endpoint.faults.inject({ kind: 'hang' });
    const abort = new AbortController();
    const outcome = write('m f=1 1', abort.signal);
    await until('the request is there', () => endpoint.seen.length === 1);
    abort.abort(new Error('enough'));
    await expect(outcome).rejects.toThrow('enough');
    await expect(write('m f=1 1', abort.signal)).rejects.toThrow('enough');
    await until('no connection is left', () => endpoint.connections === 0);
    expect(endpoint.seen).toHaveLength(1);
  });

  test('a close ends the connections', async () => {
    await write();
    expect(endpoint.connections).toBe(1);
    server.close();
    await until('no connection is left', () => endpoint.connections === 0);
  });

  test('a connection that breaks off', async () => {
    endpoint.faults.inject({ kind: 'reset' });
    expect(await write()).toMatchObject({ kind: 'retry', brokeOff: true });
    expect(await server.test()).toMatchObject({
      ok: false,
      code: 'unreachable',
      message: expect.stringContaining('http or https') as string,
    });
  });

  test('nothing listens there', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    open({ url });
    expect(await write()).toMatchObject({ kind: 'retry', brokeOff: false });
    const result = await server.test();
    expect(result).toMatchObject({ ok: false, code: 'unreachable' });
    expect(result.message).toMatch(/^Nothing listens at 127\.0\.0\.1:.*that InfluxDB is running \(.*ECONNREFUSED/);
  });

  test('a host that nobody knows', async () => {
    open({ url: 'http://nobody.invalid:8086' });
    expect(await write()).toMatchObject({ kind: 'retry' });
    expect((await server.test()).message).toMatch(
      /^The host name of nobody\.invalid:8086 (is not known|cannot be looked up)/,
    );
  });

  test('a server that does not speak HTTP', async () => {
    const other = createServer((socket) =>
      socket
        .on('error', () => socket.destroy())
        .resume()
        .end('220 mail ready\r\n'),
    );
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    open({ url: `http://127.0.0.1:${port}` });
    expect(await server.test()).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('no HTTP answer') as string,
    });
    open({ url: `https://127.0.0.1:${port}` });
    expect(await server.test()).toMatchObject({ code: 'tls', message: expect.stringContaining('http://') as string });
    expect(await write()).toMatchObject({ kind: 'configuration' });
    await new Promise((resolve) => other.close(resolve));
  });

  test('a web server that is no InfluxDB', async () => {
    for (const version of ['1', '2', '3'] as const) {
      open({ version });
      endpoint.faults.heal();
      endpoint.faults.inject(answer(404, '<h1>Not found</h1>', { 'content-type': 'text/html' }));
      const result = await server.test();
      expect(result).toMatchObject({ ok: false, code: 'unexpected' });
      expect(result.message).toContain('does not answer as InfluxDB does');
    }
  });

  describe('refusals of 3.x, which it declares as nothing', () => {
    function refusal(count: number): string {
      const data = Array.from({ length: count }, (_, index) => ({
        error_message: `invalid column type for column 'f', expected iox::column_type::field::float, got iox::column_type::field::integer`,
        line_number: index * 2 + 1,
        original_line: 'm,d=bad f=1i 1000000',
      }));
      return JSON.stringify({ error: 'partial write of line protocol occurred', data });
    }

    function refuse(status: number, body: string): void {
      open({ version: '3' });
      endpoint.faults.inject({ kind: 'answer', status, body });
    }

    test.each([1, 5, 25_000])('%i refused lines are all known', async (count) => {
      refuse(400, refusal(count));
      const outcome = await write();
      expect(outcome).toMatchObject({ kind: 'partly-written' });
      expect(outcome.kind === 'partly-written' && outcome.lines?.map(({ index }) => index)).toEqual(
        Array.from({ length: count }, (_, index) => index * 2),
      );
    });

    test.each([
      ['cut off', 422, refusal(5).slice(0, 1000)],
      ['longer than what is read', 400, refusal(100_000)],
      ['of a form that is not known', 400, '{"error":"partial write of line protocol occurred","lines":[]}'],
    ])('a refusal that is %s is about lines', async (_, status, body) => {
      refuse(status, body);
      expect(await write()).toMatchObject({ kind: 'refused' });
    });

    test.each([
      ['3', 500, 'max request size (10485760 bytes) exceeded'],
      ['3', 400, 'max request size (10485760 bytes) exceeded'],
      ['3', 413, 'max request size (10485760 bytes) exceeded'],
      ['2', 400, '{"code":"invalid","message":"http: request body too large"}'],
      ['1', 413, '{"error":"Request Entity Too Large"}'],
    ] as const)('%s.x means too large by %i %s', async (version, status, body) => {
      open({ version });
      endpoint.faults.inject({ kind: 'answer', status, body });
      expect(await write()).toMatchObject({ kind: 'too-large' });
    });
  });

  test('no secret is in any message', async () => {
    endpoint.faults.inject(answer(401, '{"error":"authorization failed"}'));
    for (const version of ['1', '2', '3'] as const) {
      open({ version });
      expect(JSON.stringify([await write(), await server.test()])).not.toMatch(/secret-token|pa55/);
    }
  });
});

describe('retryAfterOf', () => {
  const at = (value: string | undefined): number | undefined =>
    retryAfterOf({ status: 503, body: '', headers: { 'retry-after': value } }, Date.parse('2026-01-01T00:00:00Z'));

  test('takes seconds and dates', () => {
    expect(at('30')).toBe(30);
    expect(at('Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60);
    expect(at('Wed, 31 Dec 2025 00:00:00 GMT')).toBe(0);
    expect(at('soon')).toBeUndefined();
    expect(at(undefined)).toBeUndefined();
  });
});

describe('Backoff', () => {
  test('doubles up to its limit, and begins again', () => {
    const backoff = new Backoff({ first: 1000, longest: 60_000 }, () => 0);
    expect(Array.from({ length: 8 }, () => backoff.next())).toEqual([
      1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
    ]);
    backoff.reset();
    expect(backoff.next()).toBe(1000);
  });

  test('varies, does what the server wishes, but not for more than an hour', () => {
    const backoff = new Backoff({ first: 1000, longest: 60_000 }, () => 0.5);
    expect(backoff.next()).toBe(900);
    expect(backoff.next(3)).toBe(3000);
    expect(backoff.next(86_400)).toBe(3_600_000);
    expect(backoff.next(0)).toBe(7200);
  });
});
