import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { isSchedule } from '../lib/editor/schedule';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import { validator } from '../lib/editor/validators';
import type { InfluxProvisionConfig } from './config';

RED.nodes.registerType('influx-provision', {
  category: 'mqtt2influx',
  categoryDescription: translate('influx-provision.palette.category'),
  color: '#3FADB5',
  icon: 'influx-provision.svg',
  inputs: 1,
  outputs: 2,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    registry: { value: '', type: 'iot-registry', required: true, label: translate('influx-provision.label.registry') },
    server: { value: '', type: 'influx-server', required: true, label: translate('influx-provision.label.server') },
    schedule: {
      value: '',
      label: translate('influx-provision.label.schedule'),
      validate: validator((value) => (isSchedule(value) ? undefined : translate('influx-provision.error.schedule'))),
    },
  },
  paletteLabel: () => translate('influx-provision.palette.label'),
  label() {
    return this.name || translate('influx-provision.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [translate('influx-provision.output.report'), translate('influx-provision.output.progress')][index];
  },
  oneditprepare() {
    addStyle();
    makeConfigButtonsReachable('node-input', 'registry', 'iot-registry');
    makeConfigButtonsReachable('node-input', 'server', 'influx-server');
  },
} satisfies FlowNodeDefinition<InfluxProvisionConfig>);
