// Every example is imported by the menu and deployed, as a new user does it.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot, startNodeRed } from '../support/node-red';
import { until } from '../support/until';
import { EDITOR_THEME, LOOKS, openEditor, type EditorPage } from './editor-page';
import { shot } from './screenshots';

const MODULE = 'node-red-contrib-mqtt2influx';

/** Path of each example as the menu shows it, folder by folder. */
const examples = readdirSync(join(packageRoot, 'examples'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length).split('/'))
  .sort();

async function importExample({ page }: EditorPage, path: string[]): Promise<void> {
  await page.keyboard.press('Control+I');
  await page.locator('#red-ui-tab-red-ui-clipboard-dialog-import-tab-examples').click();
  for (const label of [MODULE, ...path]) {
    await page
      .locator('#red-ui-clipboard-dialog-import-tab-examples .red-ui-treeList-label:visible')
      .filter({ has: page.getByText(label, { exact: true }) })
      .first()
      .click();
  }
  await page.locator('#red-ui-clipboard-dialog-ok').click();
}

describe.each(LOOKS)('Node-RED $runtime, $scheme', ({ runtime, scheme }) => {
  test('every example imports and deploys without an error', async () => {
    expect(examples.length).toBeGreaterThan(0);
    const nodeRed = await startNodeRed({ runtime, settings: { editorTheme: EDITOR_THEME } });
    const editor = await openEditor(nodeRed.url, scheme);
    for (const path of examples) {
      const name = path.join('/');
      // Without the last one: examples share the ids of their config nodes.
      await nodeRed.deploy([]);
      await editor.load();
      await importExample(editor, path);
      const flow = await until(
        `${name} is imported`,
        () => editor.flow(),
        (nodes) => nodes.length > 1,
      );
      expect(
        flow.some(({ type }) => type === 'comment'),
        name,
      ).toBe(true);
      await editor.deploy();
      expect(await editor.notifications(), name).toEqual([]);
      expect(await editor.invalidNodes(), name).toEqual([]);
      await editor.showFlow(flow.find(({ type, label }) => type === 'tab' && label !== 'Flow 1')?.id ?? '');
      await editor.screenshot(shot(runtime, scheme, `example-${path.at(-1)?.replaceAll(' ', '-') ?? ''}`));
      expect(editor.complaints, name).toEqual([]);
    }
    await editor.close();
  });

  test('examples that are imported one after the other share their config nodes', async () => {
    const nodeRed = await startNodeRed({ runtime, settings: { editorTheme: EDITOR_THEME } });
    const editor = await openEditor(nodeRed.url, scheme);
    const chosen = examples.filter((path) => /^(?:01|06|10) - /.test(path.at(-1) ?? '') && path.length === 1);
    expect(chosen).toHaveLength(3);
    for (const [index, path] of chosen.entries()) {
      const tabs = async () => (await editor.flow()).filter(({ type }) => type === 'tab').length;
      const before = await tabs();
      await importExample(editor, path);
      if (index > 0) await editor.page.getByRole('button', { name: 'Import copy' }).click();
      await until(`${path.join('/')} is imported`, tabs, (count) => count > before);
    }
    await editor.deploy();
    expect(await editor.invalidNodes()).toEqual([]);
    const flow = await editor.flow();
    for (const type of ['iot-registry', 'iot-keyring', 'influx-server', 'mqtt-broker']) {
      const shared = flow.filter((node) => node.type === type);
      expect(shared, type).toHaveLength(1);
    }
    await editor.close();
  });
});
