// Secrets are written in the dialog and never come back to the browser; the key of a device does, on demand.
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { startNodeRed, type NodeRed } from '../support/node-red';
import { until } from '../support/until';
import { EDITOR_THEME, LOOKS, openEditor } from './editor-page';
import { sampleFlow } from './sample-flow';
import { shot } from './screenshots';

const SECRETS = {
  secret: 'Yb1Zp4sQ0mW9aTn7Kd3Fv8Rx2Uc6Lh5E',
  previousSecret: 'pReV10u5-4f7c1e9a',
  token: 't0k3n-8c41d7e2b9',
  password: 'pA55w0rd-51be77',
};

function pythonDeviceKey(master: string, device: string): string {
  const program =
    'import base64, hashlib, hmac, sys\n' +
    'print(base64.b64encode(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), hashlib.sha256).digest()).decode())';
  const python = process.env['TEST_PYTHON'] ?? 'python3';
  return execFileSync(python, ['-c', program, master, device], { encoding: 'utf8' }).trim();
}

describe.each(LOOKS)('Node-RED $runtime, $scheme', ({ runtime, scheme }) => {
  let nodeRed: NodeRed;

  beforeAll(async () => {
    nodeRed = await startNodeRed({ runtime, settings: { editorTheme: EDITOR_THEME } });
  });

  test('typed secrets are deployed and do not come back, and device keys are those of Python', async () => {
    const writing = await openEditor(nodeRed.url, scheme);
    await writing.add(sampleFlow());
    await writing.editConfig('iot-keyring', 'keyring');
    await writing.type('#node-config-input-secret', SECRETS.secret);
    await writing.type('#node-config-input-previousSecret', SECRETS.previousSecret);

    // The key of what is typed, before anything is deployed.
    const key = writing.page.locator('#iot-keyring-key');
    await writing.type('#iot-keyring-device', 'Düsseldorf/d1');
    await writing.press('#iot-keyring-show');
    await key.waitFor();
    expect(await key.inputValue()).toBe(pythonDeviceKey(SECRETS.secret, 'Düsseldorf/d1'));
    await writing.save();
    await writing.editConfig('influx-server', 'server');
    await writing.choose('#node-config-input-serverVersion', 'InfluxDB 2.x');
    await writing.type('#node-config-input-organization', 'acme');
    await writing.type('#node-config-input-token', SECRETS.token);
    await writing.choose('#node-config-input-serverVersion', 'InfluxDB 1.x');
    await writing.type('#node-config-input-username', 'writer');
    await writing.type('#node-config-input-password', SECRETS.password);
    await writing.save();
    await writing.deploy();
    expect(writing.complaints).toEqual([]);
    await writing.close();

    const reading = await openEditor(nodeRed.url, scheme);
    await reading.editConfig('iot-keyring', 'keyring');
    expect(await reading.value('#node-config-input-secret')).toBe('__PWRD__');
    expect(await reading.value('#node-config-input-previousSecret')).toBe('__PWRD__');
    expect(await reading.wrongFields()).toEqual([]);

    // The key of what is deployed, which the dialog does not know.
    const shown = reading.page.locator('#iot-keyring-key');
    const result = reading.page.locator('#iot-keyring-result');
    await reading.press('#iot-keyring-show');
    await until(
      'it asks for a device',
      () => result.innerText(),
      (text) => text.includes('Type the id of a device'),
    );
    expect(await result.getAttribute('data-outcome')).toBe('failure');
    await reading.type('#iot-keyring-device', 'hall/d1');
    await reading.page.keyboard.press('Enter');
    await shown.waitFor();
    expect(await shown.inputValue()).toBe(pythonDeviceKey(SECRETS.secret, 'hall/d1'));
    expect(await shown.getAttribute('readonly')).not.toBeNull();
    await reading.press('#iot-keyring-copy');
    await until(
      'it is copied',
      () => result.innerText(),
      (text) => text.includes('in the clipboard'),
    );
    expect(await reading.page.evaluate(() => navigator.clipboard.readText())).toBe(await shown.inputValue());
    await reading.screenshot(shot(runtime, scheme, 'iot-keyring-device-key'));
    // Another device's key is asked for: the old one must not stand beside the new name.
    await reading.type('#iot-keyring-device', 'hall/d2');
    expect(await shown.isVisible()).toBe(false);
    await reading.type('#node-config-input-name', 'renamed');
    await reading.save();

    await reading.editConfig('influx-server', 'server');
    expect(await reading.value('#node-config-input-password')).toBe('__PWRD__');
    expect(await reading.value('#node-config-input-username')).toBe('writer');
    await reading.press('#influx-server-test');
    await reading.page.locator('#influx-server-result[data-outcome="failure"]').waitFor();
    await reading.save();
    await reading.deploy();

    const everything = [
      ...reading.received.map(({ url, body }) => `${url}\n${body}`),
      await reading.page.content(),
      JSON.stringify(await reading.flow()),
      ...(await Promise.all(
        ['flows', 'credentials/iot-keyring/keyring', 'credentials/influx-server/server', 'mqtt2influx/metrics'].map(
          async (path) => (await nodeRed.get(path)).text,
        ),
      )),
      nodeRed.log(),
    ];
    for (const [name, secret] of Object.entries(SECRETS)) {
      expect(
        everything.filter((text) => text.includes(secret)),
        name,
      ).toEqual([]);
    }
    expect(reading.complaints).toEqual([]);

    // Opened, saved and deployed again, they are still what was typed.
    const { body } = await nodeRed.post('mqtt2influx/iot-keyring/device-key', {
      id: 'keyring',
      device: 'hall/d1',
      mode: 'master',
      encoding: 'text',
      secret: '__PWRD__',
    });
    expect(body).toEqual({ key: pythonDeviceKey(SECRETS.secret, 'hall/d1') });
    await reading.close();
  });
});
