import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import { isWholeNumber, validator } from '../lib/editor/validators';
import { type InfluxAggregateConfig } from './config';

/** A day, in seconds. */
const LONGEST_GRACE = 86_400;

RED.nodes.registerType('influx-aggregate', {
  category: 'mqtt2influx',
  categoryDescription: translate('influx-aggregate.palette.category'),
  color: '#3FADB5',
  icon: 'influx-aggregate.svg',
  inputs: 1,
  outputs: 2,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    registry: { value: '', type: 'iot-registry', required: true, label: translate('influx-aggregate.label.registry') },
    server: { value: '', type: 'influx-server', required: true, label: translate('influx-aggregate.label.server') },
    grace: {
      value: '',
      label: translate('influx-aggregate.label.grace'),
      validate: validator((value) =>
        value.trim() === '' || isWholeNumber(value, 0, LONGEST_GRACE)
          ? undefined
          : translate('influx-aggregate.error.grace', { most: LONGEST_GRACE }),
      ),
    },
  },
  paletteLabel: () => translate('influx-aggregate.palette.label'),
  label() {
    return this.name || translate('influx-aggregate.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [translate('influx-aggregate.output.results'), translate('influx-aggregate.output.progress')][index];
  },
  oneditprepare() {
    addStyle();
    makeConfigButtonsReachable('node-input', 'registry', 'iot-registry');
    makeConfigButtonsReachable('node-input', 'server', 'influx-server');
  },
} satisfies FlowNodeDefinition<InfluxAggregateConfig>);
