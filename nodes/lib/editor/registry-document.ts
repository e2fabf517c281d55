import { RequestError, ask } from './request';
import { showResult } from './result';
import { translate } from './translate';

/** What `POST mqtt2influx/iot-registry/check` answers. */
interface CheckAnswer {
  topics: number;
  faults: { path: string; reason: string }[];
  /** Legal, and surely not meant. */
  warnings: { path: string; reason: string }[];
}

/** Quiet time after the last key before the document is checked. */
const CHECK_AFTER = 600;

/** So many faults are listed; the rest is counted. */
const FAULTS_LISTED = 50;

const LEAST_HEIGHT = 150;

/** Node-RED's code editor: Ace, or Monaco behind the same methods and some of its own. */
type CodeEditor = AceAjax.Editor & { updateOptions?(options: Record<string, unknown>): void };

const MONACO_OPTIONS = {
  // It would take a third of a dialog.
  minimap: { enabled: false },
  // Words out of the document: Enter after `true` must not make it `temperature`.
  quickSuggestions: false,
  // Monaco in Node-RED 4.1 fails when it is closed while it suggests text.
  inlineSuggest: { enabled: false },
};

/** The code editor for an inline registry, with the check of what is in it. */
export class DocumentEditor {
  readonly #editor: CodeEditor;
  readonly #result = $('#iot-registry-result');
  #timer: number | undefined;
  /** Number of the newest check: the answers to older ones are dropped. */
  #check = 0;
  /** The text has come back from the large editor, which is still closing. */
  #focusWhenBack = false;

  constructor() {
    this.#editor = RED.editor.createEditor({
      id: 'iot-registry-document',
      mode: 'ace/mode/yaml',
      value: String($('#node-config-input-document').val()),
    });
    this.#editor.updateOptions?.(MONACO_OPTIONS);
    this.#editor.getSession().on('change', () => {
      $('#node-config-input-document').val(this.#editor.getValue()).trigger('change');
      this.#checkSoon();
    });
    $('#iot-registry-check').on('click', () => void this.#checkNow());
    const expand = $('#iot-registry-expand').on('click', () => this.#expand());
    RED.popover.tooltip(expand, RED._('node-red:common.label.expand'));
  }

  /** The editor has become visible: it can measure itself only now. */
  shown(): void {
    this.resize();
    this.#checkSoon();
  }

  /** Fills what the other rows leave of the dialog's height. Also called when the dialog comes back. */
  resize(): void {
    const form = $('#node-config-dialog-edit-form');
    let height = form.height() ?? 0;
    form.children('div:visible:not(.node-text-editor-row)').each((_index, row) => {
      height -= $(row).outerHeight(true) ?? 0;
    });
    const row = form.children('.node-text-editor-row');
    height -= (row.outerHeight(true) ?? 0) - (row.height() ?? 0);
    const container = $('#iot-registry-document');
    container.css('height', `${Math.max(height, LEAST_HEIGHT)}px`);
    this.#editor.resize();
    if (this.#focusWhenBack && container.is(':visible')) {
      this.#focusWhenBack = false;
      this.#editor.focus();
    }
  }

  save(): void {
    $('#node-config-input-document').val(this.#editor.getValue());
  }

  close(): void {
    window.clearTimeout(this.#timer);
    this.#check += 1;
    this.#editor.destroy();
  }

  #checkSoon(): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#checkNow(), CHECK_AFTER);
  }

  async #checkNow(): Promise<void> {
    window.clearTimeout(this.#timer);
    this.#check += 1;
    const check = this.#check;
    const show = (...result: [outcome: 'success' | 'warning' | 'failure', text: string, details?: string[]]) => {
      if (check !== this.#check) return;
      showResult(this.#result, ...result);
      this.resize();
    };
    try {
      const { topics, faults, warnings } = await ask<CheckAnswer>('iot-registry/check', {
        document: this.#editor.getValue(),
      });
      if (warnings.length > 0) {
        show('warning', translate('iot-registry.check.warnings', { count: topics }), listed(warnings));
      } else if (faults.length === 0) show('success', translate('iot-registry.check.good', { count: topics }));
      else show('failure', translate('iot-registry.check.faults', { count: faults.length }), listed(faults));
    } catch (error) {
      const message = error instanceof RequestError ? error.message : String(error);
      show('failure', translate('iot-registry.check.failed'), message === '' ? [] : [message]);
    }
  }

  #expand(): void {
    RED.editor.editText({
      mode: 'yaml',
      value: this.#editor.getValue(),
      stateId: 'iot-registry-document',
      width: Infinity,
      focus: true,
      complete: (value: string) => {
        this.#editor.setValue(value, -1);
        this.#focusWhenBack = true;
      },
    });
  }
}

function listed(faults: CheckAnswer['faults']): string[] {
  const lines = faults.slice(0, FAULTS_LISTED).map(({ path, reason }) => `${path || '/'}: ${reason}`);
  const rest = faults.length - lines.length;
  return rest > 0 ? [...lines, translate('iot-registry.check.more', { count: rest })] : lines;
}
