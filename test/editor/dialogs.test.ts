// Every dialog opens, validates, saves, and shows what was saved, with nothing but the keyboard.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startNodeRed, type FlowNode, type NodeRed } from '../support/node-red';
import { until } from '../support/until';
import { EDITOR_THEME, LOOKS, openEditor, type EditorPage } from './editor-page';
import { DOCUMENT, sampleFlow } from './sample-flow';
import { shot } from './screenshots';

describe.each(LOOKS)('Node-RED $runtime, $scheme', ({ runtime, scheme }) => {
  let nodeRed: NodeRed;
  let editor: EditorPage;

  beforeAll(async () => {
    nodeRed = await startNodeRed({ runtime, settings: { editorTheme: EDITOR_THEME } });
    editor = await openEditor(nodeRed.url, scheme);
    await editor.add(sampleFlow());
  });

  beforeEach(() => editor.closeDialogs());

  afterAll(async () => {
    expect(editor.complaints).toEqual([]);
    await editor.close();
  });

  /** The node as it would be deployed. */
  async function saved(id: string): Promise<FlowNode | undefined> {
    return (await editor.flow()).find((node) => node.id === id);
  }

  const look = (name: string) => editor.screenshot(shot(runtime, scheme, name));

  test('palette and workspace show names, icons and faults', async () => {
    const category = editor.page.locator('#red-ui-palette-header-mqtt2influx');
    expect(await category.innerText()).toBe('MQTT to InfluxDB');
    const labels = editor.page.locator('#red-ui-palette-base-category-mqtt2influx .red-ui-palette-label');
    expect((await labels.allInnerTexts()).map((label) => label.replace(/\s+/g, ' '))).toEqual([
      'verify hmac',
      'route by registry',
      'write influx',
      'provision influx',
      'aggregate influx',
      'back up influx',
      'alarm state',
      'sign and publish',
    ]);
    expect(await editor.invalidNodes()).toEqual([]);
    await category.scrollIntoViewIfNeeded();
    await look('workspace');

    await editor.add([{ ...node('verify'), id: 'unset', registry: '', keyring: '', maxBytes: 0, y: 240, wires: [] }]);
    const [faults = ''] = await editor.invalidNodes();
    expect(faults).toContain('Registry');
    expect(faults).toContain('Keyring');
    expect(faults).toContain('Longest message: must be a whole number from 1 to 268435455');
    await look('workspace-fault');
    await editor.remove('unset');
  });

  test('hmac-verify', async () => {
    await editor.editNode('verify');
    expect(await editor.wrongFields()).toEqual([]);
    await editor.type('#node-input-name', 'check signatures');
    await editor.type('#node-input-maxBytes', 'many');
    await editor.tabTo('#node-input-name');
    expect(await editor.wrongFields()).toEqual(['node-input-maxBytes']);
    expect(await editor.fault('#node-input-maxBytes')).toContain('must be a whole number');
    await editor.type('#node-input-maxBytes', '4096');
    await editor.tabTo('#node-input-btn-keyring-add');
    await look('hmac-verify');
    await editor.save();
    expect(await saved('verify')).toMatchObject({ name: 'check signatures', maxBytes: '4096', registry: 'registry' });

    await editor.editNode('verify');
    expect(await editor.value('#node-input-name')).toBe('check signatures');
    expect(await editor.value('#node-input-maxBytes')).toBe('4096');
    await editor.cancel();
  });

  test('registry-route', async () => {
    await editor.editNode('route');
    await editor.type('#node-input-name', 'by kind');
    await editor.tabTo('#node-input-registry');
    await look('registry-route');
    await editor.save();
    expect(await saved('route')).toMatchObject({ name: 'by kind', registry: 'registry' });

    await editor.editNode('route');
    expect(await editor.value('#node-input-name')).toBe('by kind');
    await editor.cancel();
  });

  test('influx-write, and its server by the button beside it', async () => {
    await editor.editNode('write');
    await editor.type('#node-input-name', 'to InfluxDB');
    await look('influx-write');
    await editor.press('#node-input-btn-server-edit');
    await editor.opened('#node-config-dialog-ok');
    await editor.type('#node-config-input-name', 'the server');
    await editor.save();
    await editor.save();
    expect(await saved('write')).toMatchObject({ name: 'to InfluxDB', server: 'server' });
    expect(await saved('server')).toMatchObject({ name: 'the server' });
  });

  test('influx-provision', async () => {
    await editor.editNode('provision');
    await editor.type('#node-input-name', 'buckets as registered');
    for (const wrong of ['tomorrow', '5', '0 25 * * *', '0 0 30 2 *']) {
      await editor.type('#node-input-schedule', wrong);
      await editor.tabTo('#node-input-name');
      expect(await editor.wrongFields(), wrong).toEqual(['node-input-schedule']);
    }
    expect(await editor.fault('#node-input-schedule')).toContain('must be a period such as 1d, 12h or 30m');
    await look('influx-provision-faults');
    for (const right of ['30m', '0 6 * * *', '', '1d']) {
      await editor.type('#node-input-schedule', right);
      await editor.tabTo('#node-input-name');
      expect(await editor.wrongFields(), right).toEqual([]);
    }
    await editor.tabTo('#node-input-btn-server-add');
    await look('influx-provision');
    await editor.save();
    const expected = { name: 'buckets as registered', registry: 'registry', server: 'server', schedule: '1d' };
    expect(await saved('provision')).toMatchObject(expected);

    await editor.editNode('provision');
    expect(await editor.value('#node-input-schedule')).toBe('1d');
    await editor.cancel();
  });

  test('influx-aggregate', async () => {
    await editor.editNode('aggregate');
    await editor.type('#node-input-name', 'averages');
    await editor.type('#node-input-grace', 'half a minute');
    await editor.tabTo('#node-input-name');
    expect(await editor.wrongFields()).toEqual(['node-input-grace']);
    expect(await editor.fault('#node-input-grace')).toContain('must be a whole number from 0 to 86400');
    await look('influx-aggregate-faults');
    await editor.type('#node-input-grace', '60');
    await editor.tabTo('#node-input-btn-registry-add');
    expect(await editor.wrongFields()).toEqual([]);
    await look('influx-aggregate');
    await editor.save();
    const expected = { name: 'averages', registry: 'registry', server: 'server', grace: '60' };
    expect(await saved('aggregate')).toMatchObject(expected);

    await editor.editNode('aggregate');
    expect(await editor.value('#node-input-grace')).toBe('60');
    await editor.cancel();
  });

  test('influx-backup', async () => {
    await editor.editNode('backup');
    await editor.type('#node-input-name', 'every night');
    await editor.type('#node-input-directory', '');
    await editor.type('#node-input-schedule', 'at night');
    await editor.type('#node-input-keep', '1.5');
    await editor.tabTo('#node-input-name');
    expect(await editor.wrongFields()).toEqual(['node-input-directory', 'node-input-keep', 'node-input-schedule']);
    expect(await editor.fault('#node-input-directory')).toContain('must be the path of a directory');
    expect(await editor.fault('#node-input-keep')).toContain('must be a whole number from 0 to 36500');
    await look('influx-backup-faults');
    await editor.type('#node-input-directory', '/mnt/backup');
    await editor.type('#node-input-schedule', '0 3 * * *');
    await editor.type('#node-input-keep', '90');
    await editor.tabTo('#node-input-name');
    expect(await editor.wrongFields()).toEqual([]);
    await look('influx-backup');
    await editor.save();
    const expected = { name: 'every night', directory: '/mnt/backup', schedule: '0 3 * * *', keep: '90' };
    expect(await saved('backup')).toMatchObject(expected);

    await editor.editNode('backup');
    expect(await editor.value('#node-input-directory')).toBe('/mnt/backup');
    expect(await editor.value('#node-input-keep')).toBe('90');
    await editor.cancel();
  });

  test('alarm-state', async () => {
    await editor.editNode('alarms');
    expect(await editor.wrongFields()).toEqual([]);
    await editor.type('#node-input-name', 'smoke and water');
    await editor.type('#node-input-onDelay', '-1');
    await editor.type('#node-input-offDelay', '90000');
    await editor.tabTo('#node-input-name');
    expect(await editor.wrongFields()).toEqual(['node-input-offDelay', 'node-input-onDelay']);
    expect(await editor.fault('#node-input-onDelay')).toContain('must be whole seconds from 0 to 86400');
    await look('alarm-state-faults');
    await editor.type('#node-input-onDelay', '5');
    await editor.type('#node-input-offDelay', '30');
    await editor.tabTo('#node-input-btn-registry-add');
    await look('alarm-state');
    await editor.save();
    const options = { name: 'smoke and water', registry: 'registry', onDelay: '5', offDelay: '30' };
    expect(await saved('alarms')).toMatchObject(options);

    await editor.editNode('alarms');
    expect(await editor.value('#node-input-onDelay')).toBe('5');
    expect(await editor.value('#node-input-offDelay')).toBe('30');
    await editor.cancel();
  });

  test('iot-sign-publish', async () => {
    await editor.editNode('publish');
    expect(await editor.wrongFields()).toEqual([]);
    await editor.type('#node-input-name', 'to the valves');
    await editor.type('#node-input-expires', '0');
    await editor.tabTo('#node-input-name');
    expect(await editor.wrongFields()).toEqual(['node-input-expires']);
    expect(await editor.fault('#node-input-expires')).toContain('must be whole seconds from 1 to 86400');
    await editor.type('#node-input-expires', '15');
    for (const option of ['registry', 'keyring', 'broker', 'server']) {
      await editor.tabTo(`#node-input-btn-${option}-add`);
    }
    await look('iot-sign-publish');
    await editor.save();
    expect(await saved('publish')).toMatchObject({
      ...{ name: 'to the valves', registry: 'registry', keyring: 'keyring', broker: 'broker', server: 'server' },
      expires: '15',
    });

    await editor.editNode('publish');
    expect(await editor.value('#node-input-expires')).toBe('15');
    await editor.cancel();
  });

  test('influx-server shows what the version needs', async () => {
    await editor.editConfig('influx-server', 'server');
    const visible = async () =>
      editor.page
        .locator('.red-ui-tray [id^="node-config-input-"]:visible')
        .evaluateAll((fields) => fields.map(({ id }) => id.replace('node-config-input-', '')));
    const always = ['name', 'serverVersion', 'url', 'timeout', 'queueLimit'];
    const shown = async () =>
      (await visible()).filter((name) => ![...always, 'node-disabled'].includes(name) && !name.startsWith('btn-'));
    expect(await shown()).toEqual(['database', 'username', 'password']);
    await look('influx-server-1');

    await editor.choose('#node-config-input-serverVersion', 'InfluxDB 3.x');
    expect(await shown()).toEqual(['token']);
    expect(await editor.value('#node-config-input-url')).toBe('http://localhost:8181');
    await editor.choose('#node-config-input-serverVersion', 'InfluxDB 2.x');
    expect(await shown()).toEqual(['organization', 'token']);
    expect(await editor.value('#node-config-input-url')).toBe('http://localhost:8086');

    await editor.type('#node-config-input-url', 'localhost:8086');
    await editor.type('#node-config-input-timeout', '0');
    await editor.type('#node-config-input-queueLimit', '-1');
    await editor.tabTo('#node-config-input-name');
    const wrong = ['organization', 'queueLimit', 'timeout', 'token', 'url'];
    expect(await editor.wrongFields()).toEqual(wrong.map((name) => `node-config-input-${name}`));
    expect(await editor.fault('#node-config-input-url')).toContain('must be a URL such as http://localhost:8086');
    expect(await editor.fault('#node-config-input-token')).toContain('InfluxDB 2.x needs a token');
    await look('influx-server-faults');

    await editor.type('#node-config-input-url', 'https://influx.example:8086');
    expect(await shown()).toEqual(['tls', 'organization', 'token']);
    await editor.tabTo('#node-config-input-btn-tls-add');
    await editor.type('#node-config-input-organization', 'acme');
    await editor.type('#node-config-input-token', 'a-token');
    await editor.type('#node-config-input-timeout', '5');
    await editor.type('#node-config-input-queueLimit', '64');
    await editor.tabTo('#node-config-input-name');
    expect(await editor.wrongFields()).toEqual([]);
    await look('influx-server-2');
    await editor.save();
    expect(await saved('server')).toMatchObject({
      url: 'https://influx.example:8086',
      serverVersion: '2',
      organization: 'acme',
      timeout: '5',
      queueLimit: '64',
    });

    await editor.editConfig('influx-server', 'server');
    expect(await shown()).toEqual(['tls', 'organization', 'token']);
    expect(await editor.value('#node-config-input-organization')).toBe('acme');
    await editor.cancel();
  });

  test('iot-keyring checks secrets as the runtime reads them', async () => {
    await editor.editConfig('iot-keyring', 'keyring');
    await editor.type('#node-config-input-name', 'keys of the hall');
    await editor.choose('#node-config-input-encoding', 'base64');
    await editor.type('#node-config-input-secret', 'not base64');
    await editor.type('#node-config-input-previousUntil', 'tomorrow');
    await editor.tabTo('#node-config-input-name');
    expect(await editor.wrongFields()).toEqual(['node-config-input-previousUntil', 'node-config-input-secret']);
    expect(await editor.fault('#node-config-input-secret')).toContain('is not standard base64');
    expect(await editor.fault('#node-config-input-previousUntil')).toContain('must be a moment with its time zone');
    await look('iot-keyring-faults');
    await editor.type('#node-config-input-secret', '${MASTER_SECRET}');
    await editor.tabTo('#node-config-input-name');
    expect(await editor.wrongFields()).toEqual(['node-config-input-previousUntil']);

    await editor.choose('#node-config-input-encoding', 'hex');
    await editor.type('#node-config-input-secret', '0123456789abcdef');
    await editor.type('#node-config-input-previousSecret', 'odd');
    await editor.type('#node-config-input-previousUntil', '2030-12-31T23:59:00+01:00');
    await editor.type('#node-config-input-file', 'keys.yaml');
    await editor.tabTo('#node-config-input-name');
    expect(await editor.wrongFields()).toEqual(['node-config-input-previousSecret']);
    await editor.type('#node-config-input-previousSecret', '');
    await editor.tabTo('#node-config-input-name');
    expect(await editor.wrongFields()).toEqual([]);

    await editor.choose('#node-config-input-mode', 'shared');
    expect(await editor.page.locator('#iot-keyring-device').isVisible()).toBe(false);
    await editor.choose('#node-config-input-mode', 'a master');
    expect(await editor.page.locator('#iot-keyring-device').isVisible()).toBe(true);
    await look('iot-keyring');
    await editor.save();
    expect(await saved('keyring')).toMatchObject({
      name: 'keys of the hall',
      mode: 'master',
      encoding: 'hex',
      previousUntil: '2030-12-31T23:59:00+01:00',
      file: 'keys.yaml',
    });

    await editor.editConfig('iot-keyring', 'keyring');
    expect(await editor.value('#node-config-input-encoding')).toBe('hex');
    expect(await editor.value('#node-config-input-previousUntil')).toBe('2030-12-31T23:59:00+01:00');
    await editor.cancel();
  });

  test('iot-registry is checked while it is typed', async () => {
    const result = editor.page.locator('#iot-registry-result');
    const says = (text: string) =>
      until(
        `the check says ${text}`,
        () => result.innerText(),
        (all) => all.includes(text),
      );
    await editor.editConfig('iot-registry', 'registry');
    await says('No faults. Topics: 1');
    expect(await result.getAttribute('data-outcome')).toBe('success');
    await look('iot-registry');

    await editor.page.locator('#iot-registry-document').click();
    await editor.page.keyboard.press('Control+End');
    await editor.page.keyboard.type('nonsense: true\n# as typed');
    await says('Faults: ');
    expect(await result.getAttribute('data-outcome')).toBe('failure');
    expect(await result.locator('li').first().innerText()).toContain('nonsense');
    await look('iot-registry-faults');
    expect(await editor.value('#node-config-input-document')).toContain('nonsense: true\n# as typed');
    await editor.page.keyboard.press('Shift+ArrowUp');
    await editor.page.keyboard.press('Shift+Home');
    await editor.page.keyboard.press('Delete');
    await editor.page.keyboard.type('# the end');
    await says('No faults. Topics: 1');
    await editor.save();
    expect((await saved('registry'))?.['document']).toContain('# the end');

    await editor.editConfig('iot-registry', 'registry');
    await says('No faults. Topics: 1');
    await editor.choose('#node-config-input-source', 'in a file');
    expect(await editor.wrongFields()).toEqual(['node-config-input-file']);
    expect(await editor.fault('#node-config-input-file')).toContain('must be the path of a registry document');
    expect(await editor.page.locator('#iot-registry-document').isVisible()).toBe(false);
    await editor.type('#node-config-input-file', 'registry.yaml');
    await editor.tabTo('#node-config-input-name');
    expect(await editor.wrongFields()).toEqual([]);
    await look('iot-registry-file');
    await editor.choose('#node-config-input-source', 'in this node');
    await editor.press('#iot-registry-check');
    await says('No faults. Topics: 1');
    await editor.cancel();
    expect(await saved('registry')).toMatchObject({ source: 'inline', file: '' });
  });

  test('iot-registry in the large editor', async () => {
    await editor.editConfig('iot-registry', 'registry');
    await editor.press('#iot-registry-expand');
    await editor.page.locator('#node-input-text :focus').waitFor({ state: 'attached' });
    await editor.page.keyboard.press('Control+End');
    await editor.page.keyboard.type('\n# from the large editor');
    await look('iot-registry-large');
    await editor.save();
    await editor.page.locator('#iot-registry-document :focus').waitFor({ state: 'attached' });
    await editor.save();
    expect((await saved('registry'))?.['document']).toContain('# from the large editor');
  });

  test('a new registry starts with a document that works', async () => {
    await editor.editConfig('iot-registry', '_ADD_');
    const result = editor.page.locator('#iot-registry-result');
    await until(
      'it is checked',
      () => result.innerText(),
      (text) => text.includes('No faults. Topics: 2'),
    );
    await editor.cancel();
  });

  test.each([
    ...['hmac-verify', 'registry-route', 'influx-write', 'influx-provision', 'influx-aggregate', 'influx-backup'],
    ...['alarm-state', 'iot-sign-publish'],
    ...['iot-registry', 'iot-keyring', 'influx-server'],
  ])('help of %s', async (type) => {
    expect(await editor.showHelp(type)).toContain('Details');
    await look(`help-${type}`);
  });

  test('what was saved in the dialogs is what is deployed', async () => {
    const before = await editor.flow();
    await editor.deploy();
    const deployed = (await nodeRed.get('flows')).body as FlowNode[];
    for (const node of before) expect(deployed.find(({ id }) => id === node.id)).toEqual(node);
    expect(deployed.find(({ id }) => id === 'registry')?.['document']).toContain(DOCUMENT.trim());
  });
});

function node(id: string): FlowNode {
  const found = sampleFlow().find((one) => one.id === id);
  if (!found) throw new Error(`the sample flow has no ${id}`);
  return found;
}
