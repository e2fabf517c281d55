import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAccountsBalance } from '../support/accounting';
import { collectNode, ids, labels, withCredentials } from '../support/flows';
import { deviceKey, float, nowNanoseconds, sign, signedTime } from '../support/messages';
import type { Answer, Runtime } from '../support/node-red';
import { SECRET, startRig, type Rig } from '../support/rig';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const VERIFIED = 'verified';

interface Outcome {
  verified?: { device: string; key: string; form: string };
  rejected?: { code: string; reason: string };
}

/** The pipeline with another keyring, and what hmac-verify passes on shown to the test. */
function rigWith(runtime: Runtime, keyring: Record<string, unknown>, secrets: Record<string, string>): Promise<Rig> {
  return startRig({
    runtime,
    change: (flows) => {
      const port = flows.find((node) => node.type === 'test-collect')?.['port'] as number;
      const changed = flows.map((node) => {
        if (node.id === ids.verify)
          return { ...node, wires: [[ids.route, 'verified'], [`collect ${labels.unverified}`]] };
        return node.id === ids.keyring ? { ...node, ...keyring } : node;
      });
      return [...changed, collectNode('verified', ids.tab, port, VERIFIED, 'verified')];
    },
    secrets: { [ids.keyring]: secrets },
  });
}

/** What the button Show key of a keyring's dialog answers. */
function keyShown({ nodeRed }: Rig, secret: string, id: string = ids.keyring): Promise<Answer> {
  const body = { id, device: 'hall/d1', mode: 'master', encoding: 'text', secret };
  return nodeRed.post('mqtt2influx/iot-keyring/device-key', body);
}

/** Sends one good reading signed with this key and says what hmac-verify made of it. */
async function outcomeOf({ publisher, collector }: Rig, key: Buffer | string, device = 'd1'): Promise<Outcome> {
  collector.clear();
  const payload = { ...signedTime(nowNanoseconds()), temperature: float(20) };
  await publisher.publish(`sensors/hall/${device}/climate`, sign(payload, key));
  return (await until(
    'a verdict',
    () => collector.messages(VERIFIED)[0] ?? collector.messages(labels.unverified)[0],
  )) as Outcome;
}

describe.each<Runtime>(['4', '5'])('keys on Node-RED %s', (runtime) => {
  test('a master secret gives every device a key of its own', async () => {
    const rig = await rigWith(runtime, { mode: 'master' }, { secret: SECRET });
    expect(await outcomeOf(rig, deviceKey(SECRET, 'hall/d1'))).toMatchObject({
      verified: { device: 'hall/d1', key: 'current' },
    });
    const stolen = await outcomeOf(rig, deviceKey(SECRET, 'hall/d1'), 'd2');
    expect(stolen.rejected).toMatchObject({ code: 'bad-signature' });
    expect((await outcomeOf(rig, SECRET)).rejected).toMatchObject({ code: 'bad-signature' });
    expectAccountsBalance(await rig.nodeRed.metrics());
  });

  test('the previous secret verifies until its moment', async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const rig = await rigWith(runtime, { previousUntil: soon }, { secret: 'new', previousSecret: 'old' });
    expect(await outcomeOf(rig, 'new')).toMatchObject({ verified: { key: 'current' } });
    expect(await outcomeOf(rig, 'old')).toMatchObject({ verified: { key: 'previous' } });

    const over = await rigWith(
      runtime,
      { previousUntil: '2020-01-01T00:00:00Z' },
      { secret: 'new', previousSecret: 'old' },
    );
    expect(await outcomeOf(over, 'new')).toMatchObject({ verified: { key: 'current' } });
    expect((await outcomeOf(over, 'old')).rejected).toMatchObject({ code: 'bad-signature' });
  });

  test('a device-key file overrides and revokes, and is watched', async () => {
    const file = join(tempDirectory('keys'), 'keys.yaml');
    writeFileSync(file, 'hall/d1: own\nhall/d2: null\n');
    const rig = await rigWith(runtime, { file }, { secret: SECRET });
    expect(await outcomeOf(rig, 'own', 'd1')).toMatchObject({ verified: { device: 'hall/d1' } });
    expect((await outcomeOf(rig, SECRET, 'd1')).rejected).toMatchObject({ code: 'bad-signature' });
    expect((await outcomeOf(rig, SECRET, 'd2')).rejected).toMatchObject({
      code: 'no-key',
      reason: expect.stringContaining('revoked') as string,
    });
    expect(await outcomeOf(rig, SECRET, 'd3')).toMatchObject({ verified: { device: 'hall/d3' } });

    writeFileSync(file, 'hall/d1: null\n');
    await until('the file is in force', async () => (await outcomeOf(rig, 'own', 'd1')).rejected?.code === 'no-key');
    expect(await outcomeOf(rig, SECRET, 'd2')).toMatchObject({ verified: { device: 'hall/d2' } });
    expect(rig.nodeRed.log()).not.toContain('own:');

    // A file that was cut off, and one that has gone, give nobody a key back.
    const cut = rig.nodeRed.mark();
    writeFileSync(file, '');
    await rig.nodeRed.waitForLog(/it is empty/, cut);
    expect((await outcomeOf(rig, SECRET, 'd1')).rejected).toMatchObject({ code: 'no-key' });
    const gone = rig.nodeRed.mark();
    rmSync(file);
    await rig.nodeRed.waitForLog(/cannot be read/, gone);
    expect((await outcomeOf(rig, SECRET, 'd1')).rejected).toMatchObject({ code: 'no-key' });
    await rig.nodeRed.deploy(withCredentials(rig.flow));
    await rig.waitForStatus(ids.verify, /^red dot/);
    const payload = { ...signedTime(nowNanoseconds()), temperature: float(20) };
    await rig.publisher.publish('sensors/hall/d1/climate', sign(payload, SECRET));
    const [error] = await rig.collector.waitFor(labels.errors, 1);
    expect(error?.['error']).toMatchObject({ code: 'keyring-unavailable' });
    expectAccountsBalance(await rig.nodeRed.metrics());
  });

  test('the device-key file is looked at from the dialog, and made where there is none', async () => {
    const directory = tempDirectory('keys');
    const rig = await rigWith(runtime, {}, { secret: SECRET });
    const look = async (file: string, more = {}) =>
      (await rig.nodeRed.post('mqtt2influx/iot-keyring/file', { file, encoding: 'text', ...more })).body;
    const file = join(directory, 'keys.yaml');
    expect(await look(file)).toMatchObject({ state: 'missing' });
    expect(await look(file, { make: true })).toMatchObject({ state: 'good', devices: 0, revoked: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, 'a: secret of a\nb: null\n');
    expect(await look(file, { make: true }), 'not made over one that is there').toMatchObject({
      devices: 1,
      revoked: 1,
    });
    writeFileSync(file, 'a: secret of a\na: secret of a\n');
    const faulty = await look(file);
    expect(faulty).toMatchObject({ state: 'faulty', reason: 'line 2: the device is there twice' });
    expect(JSON.stringify(faulty)).not.toContain('secret of a');
    expect(await look(directory)).toMatchObject({ state: 'faulty' });
  });

  test('a weak secret works, and is told', async () => {
    const rig = await rigWith(runtime, {}, { secret: 'short\n' });
    expect(await outcomeOf(rig, 'short')).toMatchObject({ verified: { device: 'hall/d1' } });
    await rig.waitForStatus(ids.verify, /^yellow dot weak secret/);
    expect(rig.nodeRed.log()).toMatch(/fewer than 16 bytes/);
    expect(rig.nodeRed.log()).toMatch(/ends in a line break/);
  });

  test('an environment variable stands for a secret, in the dialog too', async () => {
    process.env['IOT_TEST_SECRET'] = SECRET;
    onTestFinished(() => {
      delete process.env['IOT_TEST_SECRET'];
    });
    const rig = await rigWith(runtime, { mode: 'master' }, { secret: '${IOT_TEST_SECRET}' });
    const key = deviceKey(SECRET, 'hall/d1');
    expect(await outcomeOf(rig, key)).toMatchObject({ verified: { key: 'current' } });
    const shown = { status: 200, body: { key: key.toString('base64') } };
    expect(await keyShown(rig, '__PWRD__')).toMatchObject(shown);
    expect(await keyShown(rig, '${IOT_TEST_SECRET}')).toMatchObject(shown);
    // Only the text that is deployed: every other name could be asked for as well.
    const notDeployed = { status: 400, body: { code: 'not-deployed' } };
    expect(await keyShown(rig, '$(IOT_TEST_SECRET)')).toMatchObject(notDeployed);
    expect(await keyShown(rig, '${IOT_TEST_SECRET}', 'not deployed')).toMatchObject(notDeployed);
    expect(await keyShown(rig, '${IOT_NOT_SET}')).toMatchObject(notDeployed);
    const variables = {
      id: 'variables',
      type: 'global-config',
      env: [{ name: 'OF_FLOW', value: 'flow', type: 'str' }],
    };
    rig.flow.credentials[ids.keyring] = { secret: '${OF_FLOW}' };
    await rig.nodeRed.deploy([...withCredentials(rig.flow), variables]);
    expect(await keyShown(rig, '${OF_FLOW}')).toMatchObject({
      status: 200,
      body: { key: deviceKey('flow', 'hall/d1').toString('base64') },
    });
  });

  test('the name of a variable that is not set is no secret', async () => {
    const secret = '${IOT_NOT_SET}';
    const rig = await rigWith(runtime, { mode: 'master' }, { secret });
    await rig.waitForStatus(ids.verify, /^red dot/);
    const payload = { ...signedTime(nowNanoseconds()), temperature: float(20) };
    await rig.publisher.publish('sensors/hall/d1/climate', sign(payload, deviceKey(secret, 'hall/d1')));
    const [error] = await rig.collector.waitFor(labels.errors, 1);
    expect(error?.['error']).toMatchObject({
      code: 'keyring-unavailable',
      message: expect.stringContaining('IOT_NOT_SET') as string,
    });
    expect(await keyShown(rig, '__PWRD__')).toMatchObject({ status: 400, body: { code: 'no-variable' } });
  });

  test('no secret at all is an error an operator sees', async () => {
    const rig = await rigWith(runtime, {}, {});
    await rig.waitForStatus(ids.verify, /^red dot/);
    await rig.publisher.publish(
      'sensors/hall/d1/climate',
      sign({ ...signedTime(nowNanoseconds()), temperature: 1.5 }, SECRET),
    );
    const [error] = await rig.collector.waitFor(labels.errors, 1);
    expect(error?.['error']).toMatchObject({ code: 'keyring-unavailable' });
    expectAccountsBalance(await rig.nodeRed.metrics());
  });
});
