// Test connection tells right from wrong, and says what is wrong.
import { beforeAll, describe, expect, test } from 'vitest';
import { startInfluxd, type Influxd } from '../support/influxd';
import { startNodeRed, type NodeRed } from '../support/node-red';
import { freePort } from '../support/ports';
import { EDITOR_THEME, LOOKS, openEditor, type EditorPage } from './editor-page';
import { sampleFlow } from './sample-flow';
import { shot } from './screenshots';

const admin = { username: 'admin', password: 'correct' };

describe.each(LOOKS)('Node-RED $runtime, $scheme', ({ runtime, scheme }) => {
  let influxd: Influxd;
  let nodeRed: NodeRed;
  let editor: EditorPage;

  beforeAll(async () => {
    influxd = await startInfluxd({ admin });
    await influxd.createDatabase('iot', { raw: '1d' });
    nodeRed = await startNodeRed({ runtime, settings: { editorTheme: EDITOR_THEME } });
    editor = await openEditor(nodeRed.url, scheme);
    await editor.add(sampleFlow(influxd.url));
    await editor.editConfig('influx-server', 'server');
  });

  /** Presses the button and waits for the result. */
  async function pressTest(outcome: 'success' | 'failure'): Promise<string> {
    await editor.press('#influx-server-test');
    const result = editor.page.locator(`#influx-server-result[data-outcome="${outcome}"]`);
    await result.waitFor();
    expect(await editor.page.locator('#influx-server-test').isEnabled()).toBe(true);
    await editor.screenshot(shot(runtime, scheme, `influx-server-test-${outcome}`));
    return result.innerText();
  }

  test('success, and each way to fail, in words', async () => {
    await editor.type('#node-config-input-username', admin.username);
    await editor.type('#node-config-input-password', 'wrong');
    expect(await pressTest('failure')).toContain('Failed: the credentials are not accepted.');

    await editor.type('#node-config-input-password', admin.password);
    // A result does not outlive what it was about.
    expect(await editor.page.locator('#influx-server-result').innerText()).toBe('');
    const success = await pressTest('success');
    expect(success).toContain('Success: ');
    expect(success).toContain('InfluxDB 1.6.7');

    await editor.type('#node-config-input-database', 'nowhere');
    expect(await pressTest('failure')).toContain('Failed: something that is named here does not exist.');

    await editor.type('#node-config-input-url', `http://127.0.0.1:${await freePort()}`);
    expect(await pressTest('failure')).toContain('Failed: the server cannot be reached.');

    await editor.type('#node-config-input-url', influxd.url.replace('http:', 'https:'));
    expect(await pressTest('failure')).toContain('Failed: no secure connection.');

    await editor.type('#node-config-input-url', nodeRed.url);
    expect(await pressTest('failure')).toContain('Failed: ');

    await editor.type('#node-config-input-url', influxd.url);
    await editor.choose('#node-config-input-serverVersion', 'InfluxDB 2.x');
    await editor.type('#node-config-input-organization', 'acme');
    await editor.type('#node-config-input-token', 'a-token');
    expect(await pressTest('failure')).toContain('Failed: the server is of another version.');
    expect(editor.complaints).toEqual([]);
  });

  test('while it runs it says so, and cannot be started twice', async () => {
    await influxd.freeze();
    try {
      await editor.press('#influx-server-test');
      const result = editor.page.locator('#influx-server-result[data-outcome="progress"]');
      await result.waitFor();
      expect(await result.innerText()).toContain('Testing the connection…');
      expect(await editor.page.locator('#influx-server-test').isDisabled()).toBe(true);
    } finally {
      await influxd.thaw();
    }
    await editor.page.locator('#influx-server-result[data-outcome="failure"]').waitFor();
    expect(await editor.page.locator('#influx-server-test').isEnabled()).toBe(true);
  });

  test('the result is announced to those who do not see it', async () => {
    const result = editor.page.locator('#influx-server-result');
    expect(await result.getAttribute('aria-live')).toBe('polite');
    expect(await result.getAttribute('role')).toBe('status');
  });
});
