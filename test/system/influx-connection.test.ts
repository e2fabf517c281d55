import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { connect } from '../../nodes/lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../../nodes/lib/influx/server';
import { Writer, type RefusedPoint } from '../../nodes/lib/influx/writer';
import { PointQueue } from '../../nodes/lib/store/queue';
import { Store } from '../../nodes/lib/store/store';
import { makeCertificates } from '../support/certificates';
import { startFaultProxy } from '../support/facade/fault-proxy';
import { isWrite } from '../support/facade/faults';
import { Influx2Facade } from '../support/facade/influx2';
import { influxdBehind } from '../support/facade/targets';
import { startInfluxd, type Influxd } from '../support/influxd';
import { run } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const opened: InfluxServer[] = [];
const NOW = BigInt(Date.now()) * 1_000_000n;

afterAll(() => {
  for (const server of opened) server.close();
});

function open(options: Partial<ConnectOptions>): InfluxServer {
  const server = connect({ version: '1', url: '', database: 'iot', timeout: 10_000, ...options });
  opened.push(server);
  return server;
}

function write(server: InfluxServer, bucket = 'raw') {
  return server.write(bucket, `m f=1 ${NOW}`, new AbortController().signal);
}

describe('TLS', () => {
  test('trusted by its authority; not trusted without it, for another name, or when it has expired', async () => {
    const { authority, certificate, key } = await makeCertificates();
    const ca = readFileSync(authority);
    const influxd = await startInfluxd({ tls: { certificate, key } });

    const trusting = open({ url: influxd.url, tls: { ca } });
    // Nobody has made the database: that is what is left to say.
    expect(await trusting.test()).toMatchObject({ ok: false, code: 'not-found' });

    const distrusting = open({ url: influxd.url });
    const untrusted = await distrusting.test();
    expect(untrusted).toMatchObject({ ok: false, code: 'tls' });
    expect(untrusted.message).toMatch(/not trusted: give the certificate of its authority/);
    expect(await write(distrusting)).toMatchObject({ kind: 'configuration' });

    const misnamed = await open({ url: influxd.url, tls: { ca, servername: 'other.example' } }).test();
    expect(misnamed).toMatchObject({ ok: false, code: 'tls' });
    expect(misnamed.message).toMatch(/for another host name/);

    const careless = open({ url: influxd.url, tls: { rejectUnauthorized: false } });
    expect(await careless.test()).toMatchObject({ code: 'not-found' });

    const plain = await open({ url: influxd.url.replace('https', 'http') }).test();
    expect(plain).toMatchObject({ ok: false });
    expect(plain.message).toMatch(/https/);
  });

  test('an expired certificate', async () => {
    const directory = tempDirectory('expired');
    // A CA database is what lets openssl date a certificate back.
    writeFileSync(join(directory, 'index.txt'), '');
    writeFileSync(join(directory, 'serial'), '01');
    writeFileSync(
      join(directory, 'ca.cnf'),
      '[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\npolicy = any\n' +
        '[any]\ncommonName = supplied\n[names]\nsubjectAltName = IP:127.0.0.1\n',
    );
    const openssl = (...args: string[]) => run('openssl', args, { cwd: directory });
    await openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'key.pem',
      '-out',
      'request.pem',
      '-subj',
      '/CN=127.0.0.1',
    );
    const dates = ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z'];
    const signing = [
      '-selfsign',
      '-keyfile',
      'key.pem',
      '-in',
      'request.pem',
      '-out',
      'certificate.pem',
      '-extensions',
      'names',
    ];
    await openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', ...dates, ...signing);
    const certificate = readFileSync(join(directory, 'certificate.pem'));
    const proxy = await startFaultProxy('http://127.0.0.1:9', {
      cert: certificate,
      key: readFileSync(join(directory, 'key.pem')),
    });
    const result = await open({ url: proxy.url, tls: { ca: certificate } }).test();
    expect(result).toMatchObject({ ok: false, code: 'tls' });
    expect(result.message).toMatch(/has expired/);
  });
});

describe('rights', () => {
  test('1.x: a user that may not write, one that may only write, and a policy that is missing', async () => {
    const admin = { username: 'admin', password: 'secret' };
    const influxd = await startInfluxd({ admin });
    await influxd.createDatabase('iot', { raw: '1d' });
    await influxd.query(`CREATE USER guest WITH PASSWORD 'guest'`);
    const guest = open({ url: influxd.url, username: 'guest', password: 'guest' });
    expect(await guest.test()).toMatchObject({ ok: false, code: 'forbidden' });
    expect(await write(guest)).toMatchObject({ kind: 'configuration' });

    await influxd.query('GRANT WRITE ON iot TO guest');
    expect(await guest.test('raw')).toMatchObject({ ok: true });
    expect(await write(guest)).toEqual({ kind: 'written' });
    expect(await open({ url: influxd.url, ...admin }).test('other')).toMatchObject({ ok: false, code: 'not-found' });
    expect(await open({ url: influxd.url, username: 'guest', password: 'x' }).test()).toMatchObject({
      code: 'unauthorized',
    });
  });

  test('2.x: a token for another bucket, and one that is revoked', async () => {
    const facade = await Influx2Facade.start(await influxdBehind());
    await facade.createBucket('raw');
    facade.allow('limited', { read: [], write: ['other'] });
    const server = open({ version: '2', url: facade.url, organization: facade.organization, token: 'limited' });
    expect(await server.test('raw')).toMatchObject({ ok: false, code: 'forbidden' });
    expect(await server.test()).toMatchObject({ ok: true });
    expect(await write(server)).toMatchObject({ kind: 'configuration' });
    facade.revoke('limited');
    expect(await server.test('raw')).toMatchObject({ ok: false, code: 'unauthorized' });
    facade.assertHonest();
  });
});

describe('the writer with a real 1.x', () => {
  async function deliver(influxd: Influxd, lines: string[], url = influxd.url, timeout = 10_000) {
    const store = await Store.open(tempDirectory('store'));
    const queue = await PointQueue.open(store, 'server', { limitBytes: 1e9 });
    const quick = { first: 50, longest: 200 };
    const writer = new Writer(queue, open({ url, timeout }), { retry: quick, configuration: quick });
    const refused: RefusedPoint[] = [];
    writer.onRefused((point) => refused.push(point));
    await Promise.all(
      lines.map((line) => new Promise<void>((stored) => queue.accept('raw', 'sensor', 'node', line, () => stored()))),
    );
    writer.start();
    const close = async (): Promise<void> => {
      await writer.close();
      await queue.close();
      await store.close();
    };
    return { queue, refused, close };
  }

  function lines(count: number, text: string): string[] {
    return Array.from({ length: count }, (_, index) => `m f=${index}i,text="${text}" ${NOW + BigInt(index)}`);
  }

  async function start(maxBodySize?: number): Promise<Influxd> {
    const influxd = await startInfluxd(maxBodySize === undefined ? {} : { maxBodySize });
    await influxd.createDatabase('iot', { raw: 'INF' });
    return influxd;
  }

  // The server answers 413 and closes while megabytes are still to come: often all there is to see is a broken connection.
  test('a body far beyond the limit of the server gets through in parts', async () => {
    const influxd = await start(50_000);
    const { queue, refused, close } = await deliver(influxd, lines(5000, 'x'.repeat(1000)));
    await until('all is written', () => queue.totals().queuedPoints === 0, Boolean, { deadline: 60_000 });
    expect(await influxd.count('iot', 'raw', 'm', 'f')).toBe(5000);
    expect(refused).toEqual([]);
    await close();
  });

  test('a server that is slow for large requests gets smaller ones', async () => {
    const influxd = await start();
    const proxy = await startFaultProxy(influxd.url);
    proxy.faults.inject({ kind: 'hang' }, (request) => isWrite(request) && request.body.length > 20_000);
    const { queue, close } = await deliver(influxd, lines(2000, 'x'), proxy.url, 200);
    await until('all is written', () => queue.totals().queuedPoints === 0, Boolean, { deadline: 60_000 });
    expect(await influxd.count('iot', 'raw', 'm', 'f')).toBe(2000);
    // Each request that hung has lost its connection: one, kept for the next request, is all there may be.
    expect(proxy.connections).toBeLessThanOrEqual(1);
    await close();
  });
});
