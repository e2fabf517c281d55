import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ids, registryDocument } from '../support/flows';
import { deviceKey } from '../support/messages';
import type { Answer, Runtime } from '../support/node-red';
import { freePort } from '../support/ports';
import { DATABASES, SECRET, startRig, type Rig } from '../support/rig';

const PASSWORD = 'the password of InfluxDB';
const endpoints = {
  metrics: 'mqtt2influx/metrics',
  deviceKey: 'mqtt2influx/iot-keyring/device-key',
  testServer: 'mqtt2influx/influx-server/test',
  check: 'mqtt2influx/iot-registry/check',
};

describe.each<Runtime>(['4', '5'])('admin endpoints of Node-RED %s', (runtime) => {
  let rig: Rig;
  let all: string;
  let readOnly: string;
  let nothing: string;

  beforeAll(async () => {
    rig = await startRig({
      runtime,
      influxd: { admin: { username: 'admin', password: PASSWORD } },
      pipeline: { keyMode: 'master', username: 'admin', password: PASSWORD },
      users: [
        { username: 'all', password: 'x', permissions: '*' },
        { username: 'reader', password: 'x', permissions: 'read' },
        { username: 'nobody', password: 'x', permissions: ['flows.read'] },
      ],
    });
    all = await rig.nodeRed.login('all', 'x');
    readOnly = await rig.nodeRed.login('reader', 'x');
    nothing = await rig.nodeRed.login('nobody', 'x');
  });

  const testServer = (more: Record<string, unknown>, token = all): Promise<Answer> =>
    rig.nodeRed.post(
      endpoints.testServer,
      {
        id: ids.server,
        url: rig.influxd.url,
        serverVersion: '1',
        organization: '',
        database: Object.keys(DATABASES)[0],
        tls: '',
        timeout: 5,
        token: '',
        username: 'admin',
        password: '__PWRD__',
        ...more,
      },
      token,
    );

  test('are closed to whoever has no token', async () => {
    const { nodeRed } = rig;
    expect((await nodeRed.get(endpoints.metrics)).status).toBe(401);
    expect((await nodeRed.get(endpoints.metrics, 'made-up')).status).toBe(401);
    for (const path of [endpoints.deviceKey, endpoints.testServer, endpoints.check]) {
      expect((await nodeRed.post(path, {})).status, path).toBe(401);
    }
  });

  test('ask for their permission', async () => {
    const { nodeRed } = rig;
    expect((await nodeRed.get(endpoints.metrics, readOnly)).status).toBe(200);
    expect((await nodeRed.post(endpoints.check, { document: registryDocument }, readOnly)).status).toBe(200);
    expect((await nodeRed.get(endpoints.metrics, nothing)).status).toBe(401);
    expect((await nodeRed.post(endpoints.check, { document: '' }, nothing)).status).toBe(401);
    // A key and a request in our name are more than reading.
    expect((await nodeRed.post(endpoints.deviceKey, {}, readOnly)).status).toBe(401);
    expect((await testServer({}, readOnly)).status).toBe(401);
  });

  test('metrics are Prometheus text', async () => {
    const answer = await rig.nodeRed.get(endpoints.metrics, all);
    expect(answer.text).toMatch(/^# HELP mqtt2influx_/m);
    expect(answer.text).toMatch(/^# TYPE mqtt2influx_points_queued gauge$/m);
    expect(answer.text).not.toContain(SECRET);
  });

  test("a device's key is shown, made from the deployed secret or the one just typed", async () => {
    const ask = (secret: string, device = 'hall/d1') =>
      rig.nodeRed.post(endpoints.deviceKey, { id: ids.keyring, device, mode: 'master', encoding: 'text', secret }, all);
    expect((await ask('__PWRD__')).body).toEqual({ key: deviceKey(SECRET, 'hall/d1').toString('base64') });
    expect((await ask('typed')).body).toEqual({ key: deviceKey('typed', 'hall/d1').toString('base64') });
    // Whoever may ask for keys of devices gets neither the secret itself nor anything of the environment.
    const askWith = (more: Record<string, unknown>) =>
      rig.nodeRed.post(
        endpoints.deviceKey,
        { id: ids.keyring, device: 'd', mode: 'master', encoding: 'text', secret: '__PWRD__', ...more },
        all,
      );
    const refused: [Record<string, unknown>, string][] = [
      [{ mode: 'shared' }, 'invalid-mode'],
      [{ mode: 'shared', secret: 'typed' }, 'invalid-mode'],
      [{ mode: 'x' }, 'invalid-mode'],
      [{ encoding: 'latin1' }, 'invalid-encoding'],
      [{ encoding: 'base64' }, 'not-deployed'],
      [{ secret: '${PATH}' }, 'not-deployed'],
      [{ secret: '$(PATH)', id: 'another' }, 'not-deployed'],
      [{ id: 'another' }, 'not-deployed'],
    ];
    for (const [more, code] of refused) {
      const answer = await askWith(more);
      expect(answer, JSON.stringify(more)).toMatchObject({ status: 400, body: { code } });
      expect(answer.text).not.toContain(Buffer.from(SECRET).toString('base64'));
    }
    const bad = await ask('', '');
    expect(bad.status).toBe(400);
    expect(bad.body).toMatchObject({ code: expect.any(String) as string, message: expect.any(String) as string });
  });

  test('a registry document is checked', async () => {
    const check = async (document: string) => (await rig.nodeRed.post(endpoints.check, { document }, all)).body;
    expect(await check(registryDocument)).toEqual({ topics: 3, faults: [], warnings: [] });
    const faulty = registryDocument.replace('bucket: raw', 'bucket: nowhere');
    expect(await check(faulty)).toMatchObject({
      faults: [
        {
          path: '/topics/sensors~1{site}~1{device}~1climate/bucket',
          reason: expect.stringContaining('nowhere') as string,
        },
      ],
    });
    expect(await check('topics: [')).toMatchObject({ faults: [{ path: '' }] });
  });

  test('Test connection tells right from wrong, and never a secret', async () => {
    const outcomes: [Record<string, unknown>, boolean, string][] = [
      [{}, true, 'ok'],
      [{ password: 'wrong' }, false, 'unauthorized'],
      [{ username: '', password: '' }, false, 'unauthorized'],
      [{ database: 'nowhere' }, false, 'not-found'],
      [{ url: `http://127.0.0.1:${await freePort()}`, password: PASSWORD }, false, 'unreachable'],
      [{ serverVersion: '2', organization: 'o', token: 't', password: '' }, false, 'wrong-version'],
    ];
    for (const [more, ok, code] of outcomes) {
      const answer = await testServer(more);
      expect(answer, JSON.stringify(more)).toMatchObject({ status: 200, body: { ok, code } });
      expect(answer.text).not.toContain(PASSWORD);
    }
    expect((await testServer({ url: 'nonsense' })).status).toBeLessThan(500);
  });

  test('Test connection sends the deployed password nowhere but where it was deployed to be sent, and quotes no stranger', async () => {
    const asked: string[] = [];
    const stranger = createServer((request, response) => {
      asked.push(`${request.url ?? ''} ${JSON.stringify(request.headers)}`);
      response.end('the inner secrets of a stranger');
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void stranger.close());
    await once(stranger, 'listening');
    const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    for (const more of [{ url }, { serverVersion: '2' }, { tls: 'x' }, { id: 'another' }, { password: '${PATH}' }]) {
      const answer = await testServer(more);
      expect(answer, JSON.stringify(more)).toMatchObject({ status: 400, body: { code: 'not-deployed' } });
    }
    expect(await testServer({ url: '${PATH}', password: 'typed' })).toMatchObject({ status: 400 });
    expect(asked).toEqual([]);
    const typed = await testServer({ url, password: 'typed' });
    expect(typed).toMatchObject({ status: 200, body: { ok: false } });
    expect(asked.length).toBeGreaterThan(0);
    expect(typed.text).not.toContain('inner secrets');
  });

  test('no secret is in the log, the flows or the editor', async () => {
    const { nodeRed } = rig;
    for (const path of ['flows', `credentials/iot-keyring/${ids.keyring}`, `credentials/influx-server/${ids.server}`]) {
      const { status, text } = await nodeRed.get(path, all);
      expect(status, path).toBe(200);
      expect(text, path).not.toContain(SECRET);
      expect(text, path).not.toContain(PASSWORD);
    }
    expect(nodeRed.log()).not.toContain(SECRET);
    expect(nodeRed.log()).not.toContain(PASSWORD);
  });
});
