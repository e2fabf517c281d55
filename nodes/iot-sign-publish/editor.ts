import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import { isWholeNumber, validator } from '../lib/editor/validators';
import { DEFAULT_EXPIRES, type IotSignPublishConfig } from './config';

/** A day, in seconds: nobody wants a command of yesterday to be performed. */
const LONGEST_EXPIRES = 86_400;

RED.nodes.registerType('iot-sign-publish', {
  category: 'mqtt2influx',
  categoryDescription: translate('iot-sign-publish.palette.category'),
  color: '#3FADB5',
  icon: 'iot-sign-publish.svg',
  inputs: 1,
  outputs: 3,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    registry: { value: '', type: 'iot-registry', required: true, label: translate('iot-sign-publish.label.registry') },
    keyring: { value: '', type: 'iot-keyring', required: true, label: translate('iot-sign-publish.label.keyring') },
    broker: { value: '', type: 'mqtt-broker', required: true, label: translate('iot-sign-publish.label.broker') },
    server: { value: '', type: 'influx-server', required: false, label: translate('iot-sign-publish.label.server') },
    expires: {
      value: DEFAULT_EXPIRES,
      label: translate('iot-sign-publish.label.expires'),
      validate: validator((value) =>
        isWholeNumber(value, 1, LONGEST_EXPIRES)
          ? undefined
          : translate('iot-sign-publish.error.expires', { most: LONGEST_EXPIRES }),
      ),
    },
  },
  paletteLabel: () => translate('iot-sign-publish.palette.label'),
  label() {
    return this.name || translate('iot-sign-publish.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [
      translate('iot-sign-publish.output.published'),
      translate('iot-sign-publish.output.acknowledged'),
      translate('iot-sign-publish.output.failed'),
    ][index];
  },
  oneditprepare() {
    addStyle();
    for (const [name, type] of [
      ['registry', 'iot-registry'],
      ['keyring', 'iot-keyring'],
      ['broker', 'mqtt-broker'],
      ['server', 'influx-server'],
    ] as const) {
      makeConfigButtonsReachable('node-input', name, type);
    }
  },
} satisfies FlowNodeDefinition<IotSignPublishConfig>);
