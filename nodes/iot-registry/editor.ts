import { currentValue, fieldValue, openConfigForm } from '../lib/editor/form';
import type { ConfigNodeDefinition } from '../lib/editor/node-definition';
import { translate } from '../lib/editor/translate';
import { validator } from '../lib/editor/validators';
import type { IotRegistryConfig } from './config';
import { DocumentEditor } from '../lib/editor/registry-document';
import { STARTER_DOCUMENT } from '../lib/editor/registry-starter';

/** The code editor of the open dialog; there is one at a time. */
let documentEditor: DocumentEditor | undefined;

function closeEditor(): void {
  documentEditor?.close();
  documentEditor = undefined;
}

RED.nodes.registerType('iot-registry', {
  category: 'config',
  icon: 'iot-registry.svg',
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    source: { value: 'inline' },
    document: {
      value: STARTER_DOCUMENT,
      label: translate('iot-registry.label.document'),
      validate: validator<IotRegistryConfig>((value, node) =>
        currentValue(node, 'source', node.source) === 'inline' && value.trim() === ''
          ? translate('iot-registry.error.no-document')
          : undefined,
      ),
    },
    file: {
      value: '',
      label: translate('iot-registry.label.file'),
      validate: validator<IotRegistryConfig>((value, node) =>
        currentValue(node, 'source', node.source) === 'file' && value.trim() === ''
          ? translate('iot-registry.error.no-file')
          : undefined,
      ),
    },
  },
  paletteLabel: () => translate('iot-registry.palette.label'),
  label() {
    return this.name || translate('iot-registry.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    openConfigForm(this);
    const editor = new DocumentEditor();
    documentEditor = editor;
    $('#node-config-input-source').on('change', () => {
      const source = fieldValue('source');
      $('[data-source]').each((_index, row) => {
        $(row).toggle(row.dataset['source'] === source);
      });
      if (source === 'inline') editor.shown();
    });
  },
  oneditsave() {
    documentEditor?.save();
    closeEditor();
  },
  oneditcancel: closeEditor,
  oneditdelete: closeEditor,
  oneditresize() {
    documentEditor?.resize();
  },
} satisfies ConfigNodeDefinition<IotRegistryConfig>);
