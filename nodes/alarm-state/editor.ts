import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import { isWholeNumber, validator } from '../lib/editor/validators';
import { DEFAULT_DELAY, type AlarmStateConfig } from './config';

/** A day, in seconds. */
const LONGEST_DELAY = 86_400;

const checkDelay = validator((value) =>
  isWholeNumber(value, 0, LONGEST_DELAY) ? undefined : translate('alarm-state.error.delay', { most: LONGEST_DELAY }),
);

RED.nodes.registerType('alarm-state', {
  category: 'mqtt2influx',
  categoryDescription: translate('alarm-state.palette.category'),
  color: '#3FADB5',
  icon: 'alarm-state.svg',
  inputs: 1,
  outputs: 2,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    registry: { value: '', type: 'iot-registry', required: true, label: translate('alarm-state.label.registry') },
    onDelay: { value: DEFAULT_DELAY, label: translate('alarm-state.label.onDelay'), validate: checkDelay },
    offDelay: { value: DEFAULT_DELAY, label: translate('alarm-state.label.offDelay'), validate: checkDelay },
  },
  paletteLabel: () => translate('alarm-state.palette.label'),
  label() {
    return this.name || translate('alarm-state.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [translate('alarm-state.output.changes'), translate('alarm-state.output.everything')][index];
  },
  oneditprepare() {
    addStyle();
    makeConfigButtonsReachable('node-input', 'registry', 'iot-registry');
  },
} satisfies FlowNodeDefinition<AlarmStateConfig>);
