import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import type { InfluxWriteConfig } from './config';

RED.nodes.registerType('influx-write', {
  category: 'mqtt2influx',
  categoryDescription: translate('influx-write.palette.category'),
  color: '#3FADB5',
  icon: 'influx-write.svg',
  inputs: 1,
  outputs: 2,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    server: { value: '', type: 'influx-server', required: true, label: translate('influx-write.label.server') },
  },
  paletteLabel: () => translate('influx-write.palette.label'),
  label() {
    return this.name || translate('influx-write.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [translate('influx-write.output.written'), translate('influx-write.output.refused')][index];
  },
  oneditprepare() {
    addStyle();
    makeConfigButtonsReachable('node-input', 'server', 'influx-server');
  },
} satisfies FlowNodeDefinition<InfluxWriteConfig>);
