import { chromium, type Browser, type BrowserContext, type ElementHandle, type Page } from 'playwright-core';
import { torture } from '../support/campaign';
import { atEndOfFile } from '../support/cleanup';
import type { FlowNode, Runtime } from '../support/node-red';

export type Scheme = 'light' | 'dark';

/**
 * The dark theme came with Node-RED 5: 4.1 has none built in, and themes for it are packages of their own. Its light one,
 * which has the same forms, is looked at in the long campaign only.
 */
export const LOOKS: { runtime: Runtime; scheme: Scheme }[] = [
  { runtime: '4', scheme: 'light' },
  ...(torture ? [{ runtime: '5', scheme: 'light' } as const] : []),
  { runtime: '5', scheme: 'dark' },
];

/** The editor as users have it: with Monaco for code; without what only the first start shows. */
export const EDITOR_THEME = { tours: false, palette: { catalogues: [] } };

interface HeldNode {
  type: string;
  valid?: boolean;
  validationErrors?: string[];
}

/** The part of the editor's API that the tests call inside the page. */
interface EditorApi {
  nodes: {
    dirty(): boolean;
    node(id: string): unknown;
    import(flow: FlowNode[]): unknown;
    remove(id: string): unknown;
    getType(type: string): { defaults: Record<string, { value: unknown }> };
    eachNode(look: (node: HeldNode) => void): void;
    eachConfig(look: (node: HeldNode) => boolean): void;
    createCompleteNodeSet(credentials: boolean): FlowNode[];
  };
  editor: { edit(node: unknown): void; editConfig(name: string, type: string, id: string): void };
  view: { redraw(all: boolean): void; select(selection: { nodes: unknown[] }): void; focus(): void };
  workspaces: { active(): string; show(id: string): void };
  sidebar: { help: { show(type: string): void } };
}

declare const RED: EditorApi;

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

const SAVE = '#node-dialog-ok, #node-config-dialog-ok';

/** A tab that shows the editor, and what a person does in it. */
export class EditorPage {
  readonly page: Page;
  /** What the browser's console has shown, and errors nobody caught. */
  readonly complaints: string[] = [];
  /** Every answer of the server, as text: what has reached the browser. */
  readonly received: { url: string; body: string }[] = [];
  readonly #url: string;

  constructor(page: Page, url: string) {
    this.page = page;
    this.#url = url;
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.stack ?? error.message}`));
    page.on('response', (response) => {
      const url = response.url();
      // The bodies of redirects and of files that were cached cannot be had, and hold nothing of a flow.
      response.text().then(
        (body) => this.received.push({ url, body }),
        () => this.received.push({ url, body: '' }),
      );
    });
  }

  async load(): Promise<void> {
    await this.page.goto(this.#url);
    await this.page.waitForSelector('.red-ui-palette-node[data-palette-type="influx-write"]', { state: 'attached' });
    await this.page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' });
    await this.page.waitForFunction(() => RED.workspaces.active() !== '');
  }

  async add(flow: FlowNode[]): Promise<void> {
    await this.page.evaluate((nodes) => {
      const active = RED.workspaces.active();
      RED.nodes.import(nodes.map((node) => (node['x'] === undefined ? node : { ...node, z: active })));
      RED.view.redraw(true);
    }, flow);
  }

  /** Deploys by the button, and waits until it is through. */
  async deploy(): Promise<void> {
    const answered = this.page.waitForResponse(
      (response) => response.request().method() === 'POST' && new URL(response.url()).pathname === '/flows',
    );
    await this.page.locator('#red-ui-header-button-deploy').click();
    await answered;
    await this.page.waitForFunction(() => !RED.nodes.dirty());
    await this.page.waitForSelector('.red-ui-deploy-button-spinner', { state: 'hidden' });
  }

  async remove(id: string): Promise<void> {
    await this.page.evaluate((node) => {
      RED.nodes.remove(node);
      RED.view.redraw(true);
    }, id);
  }

  async showFlow(id: string): Promise<void> {
    await this.page.evaluate((tab) => RED.workspaces.show(tab), id);
  }

  /** Texts of the notifications on show, without those that only say that it worked. */
  async notifications(): Promise<string[]> {
    const texts = await this.page.locator('.red-ui-notification').allInnerTexts();
    return texts.filter((text) => !/successfully (deployed|imported)|^imported/i.test(text.trim()));
  }

  /** Opens the dialog of a node in the flow as the keyboard does: selected, Enter. */
  async editNode(id: string): Promise<void> {
    await this.page.evaluate((node) => {
      RED.view.select({ nodes: [RED.nodes.node(node)] });
      RED.view.focus();
    }, id);
    await this.page.keyboard.press('Enter');
    await this.opened();
  }

  /** Opens the dialog of a config node. */
  async editConfig(type: string, id: string): Promise<void> {
    await this.page.evaluate(([name, node]) => RED.editor.editConfig('', name, node), [type, id] as const);
    await this.opened();
  }

  /** Saves the dialog by its keyboard shortcut. */
  async save(): Promise<void> {
    const dialog = await this.#dialog();
    await this.page.keyboard.press('Control+Enter');
    await this.#gone(dialog);
  }

  async cancel(): Promise<void> {
    const dialog = await this.#dialog();
    await this.page.locator('.red-ui-tray-toolbar button:not(.primary):visible', { hasText: 'Cancel' }).last().click();
    await this.#gone(dialog);
  }

  /** Closes what a test that failed has left open. */
  async closeDialogs(): Promise<void> {
    while ((await this.page.locator('.red-ui-tray').count()) > 0) await this.cancel();
  }

  /** Presses Tab, or Shift and Tab, until the element has the focus; fails when it is not reached. */
  async tabTo(selector: string): Promise<void> {
    const key = () =>
      this.page.locator(selector).evaluate((element) => {
        const focused = document.activeElement;
        if (!focused || focused === element) return undefined;
        const isBehind = focused.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING;
        return isBehind ? 'Tab' : 'Shift+Tab';
      });
    for (let presses = 0; presses < 60; presses++) {
      const next = await key();
      if (next === undefined) return;
      await this.page.keyboard.press(next);
    }
    throw new Error(`Tab does not reach ${selector}`);
  }

  /** Replaces what is in a text field, by keys alone. */
  async type(selector: string, text: string): Promise<void> {
    await this.tabTo(selector);
    await this.page.keyboard.press('Control+A');
    await (text === '' ? this.page.keyboard.press('Delete') : this.page.keyboard.type(text));
  }

  /** Chooses an option of a select, by keys alone. */
  async choose(selector: string, text: string): Promise<void> {
    await this.tabTo(selector);
    const chosen = () =>
      this.page.locator(selector).evaluate((select) => (select as HTMLSelectElement).selectedOptions[0]?.text ?? '');
    await this.page.keyboard.press('Home');
    for (let presses = 0; presses < 10 && !(await chosen()).startsWith(text); presses++) {
      await this.page.keyboard.press('ArrowDown');
    }
    if (!(await chosen()).startsWith(text)) throw new Error(`${selector} has no option ${text}`);
  }

  /** Presses a button, by keys alone. */
  async press(selector: string): Promise<void> {
    await this.tabTo(selector);
    await this.page.keyboard.press('Enter');
  }

  /** What a field shows. */
  async value(selector: string): Promise<string> {
    return this.page.locator(selector).inputValue();
  }

  /** Fields of the open dialog that are marked as wrong. */
  async wrongFields(): Promise<string[]> {
    const ids = await this.page
      .locator('.red-ui-tray .input-error')
      .evaluateAll((fields) => fields.map(({ id }) => id));
    return ids.filter((id) => id !== '').sort();
  }

  /** The message that a wrong field shows when the pointer is over it. */
  async fault(selector: string): Promise<string> {
    await this.page.locator(selector).hover();
    const tip = this.page.locator('.red-ui-popover').last();
    await tip.waitFor({ state: 'visible' });
    const text = await tip.innerText();
    await this.page.mouse.move(0, 0);
    await tip.waitFor({ state: 'hidden' });
    return text;
  }

  /** All nodes as the editor would deploy them now. */
  async flow(): Promise<FlowNode[]> {
    return this.page.evaluate(() => RED.nodes.createCompleteNodeSet(false));
  }

  /** Nodes that the workspace marks as wrongly configured, with the reasons. */
  async invalidNodes(): Promise<string[]> {
    return this.page.evaluate(() => {
      const invalid: string[] = [];
      const look = (node: HeldNode) => {
        if (node.valid === false) invalid.push(`${node.type}: ${node.validationErrors?.join(', ') ?? ''}`);
      };
      RED.nodes.eachNode(look);
      RED.nodes.eachConfig((node) => {
        look(node);
        return true;
      });
      return invalid;
    });
  }

  async defaults(type: string): Promise<Record<string, { value: unknown }>> {
    return this.page.evaluate((name) => RED.nodes.getType(name).defaults, type);
  }

  async showHelp(type: string): Promise<string> {
    await this.page.evaluate((name) => RED.sidebar.help.show(name), type);
    const help = this.page.locator('.red-ui-help').last();
    await help.locator('p').first().waitFor();
    return help.innerText();
  }

  /** What there is to see, without the notifications that lie over it for some seconds. */
  async screenshot(path: string): Promise<void> {
    await this.page.addStyleTag({ content: '.red-ui-notification { visibility: hidden; }' });
    await this.page.screenshot({ path, animations: 'disabled' });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  /** The dialog has slid in, and the focus is in its form. */
  async opened(save = SAVE): Promise<void> {
    await this.page.locator(save).last().waitFor();
    await this.page.waitForFunction((button) => {
      const dialog = Array.from(document.querySelectorAll(button)).at(-1)?.closest('.red-ui-tray');
      return dialog?.querySelector('.red-ui-tray-body')?.contains(document.activeElement);
    }, save);
  }

  async #dialog(): Promise<ElementHandle> {
    return this.page.locator('.red-ui-tray').last().elementHandle();
  }

  async #gone(dialog: ElementHandle): Promise<void> {
    await this.page.waitForFunction((element) => !element.isConnected, dialog);
  }
}

let browser: Browser | undefined;

async function launch(): Promise<Browser> {
  const executablePath = process.env['TEST_CHROMIUM'] ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  atEndOfFile(async () => {
    await browser?.close();
    browser = undefined;
  });
  return browser;
}

/** Opens the editor in a browser profile of its own. */
export async function openEditor(url: string, scheme: Scheme): Promise<EditorPage> {
  browser ??= await launch();
  const context: BrowserContext = await browser.newContext({
    viewport: { width: 1300, height: 850 },
    colorScheme: scheme,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  // Where Node-RED 5 keeps the choice of its user settings.
  await context.addInitScript((choice) => localStorage.setItem('view-dark-theme', choice), scheme);
  const editor = new EditorPage(await context.newPage(), url);
  await editor.load();
  return editor;
}
