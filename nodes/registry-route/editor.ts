import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import type { RegistryRouteConfig } from './config';

RED.nodes.registerType('registry-route', {
  category: 'mqtt2influx',
  categoryDescription: translate('registry-route.palette.category'),
  color: '#3FADB5',
  icon: 'registry-route.svg',
  inputs: 1,
  outputs: 4,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    registry: { value: '', type: 'iot-registry', required: true, label: translate('registry-route.label.registry') },
  },
  paletteLabel: () => translate('registry-route.palette.label'),
  label() {
    return this.name || translate('registry-route.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [
      translate('registry-route.output.sensor'),
      translate('registry-route.output.alarm'),
      translate('registry-route.output.action'),
      translate('registry-route.output.rejected'),
    ][index];
  },
  oneditprepare() {
    addStyle();
    makeConfigButtonsReachable('node-input', 'registry', 'iot-registry');
  },
} satisfies FlowNodeDefinition<RegistryRouteConfig>);
