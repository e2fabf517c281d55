import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import { isWholeNumber, validator } from '../lib/editor/validators';
import { DEFAULT_MAXIMUM_BYTES } from '../lib/protocol/limits';
import type { HmacVerifyConfig } from './config';

/** MQTT carries no more in one message. */
const MOST_BYTES = 268_435_455;

RED.nodes.registerType('hmac-verify', {
  category: 'mqtt2influx',
  categoryDescription: translate('hmac-verify.palette.category'),
  color: '#3FADB5',
  icon: 'hmac-verify.svg',
  inputs: 1,
  outputs: 2,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    registry: { value: '', type: 'iot-registry', required: true, label: translate('hmac-verify.label.registry') },
    keyring: { value: '', type: 'iot-keyring', required: true, label: translate('hmac-verify.label.keyring') },
    maxBytes: {
      value: DEFAULT_MAXIMUM_BYTES,
      label: translate('hmac-verify.label.maxBytes'),
      validate: validator((value) =>
        isWholeNumber(value, 1, MOST_BYTES) ? undefined : translate('hmac-verify.error.maxBytes', { most: MOST_BYTES }),
      ),
    },
  },
  paletteLabel: () => translate('hmac-verify.palette.label'),
  label() {
    return this.name || translate('hmac-verify.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [translate('hmac-verify.output.verified'), translate('hmac-verify.output.rejected')][index];
  },
  oneditprepare() {
    addStyle();
    makeConfigButtonsReachable('node-input', 'registry', 'iot-registry');
    makeConfigButtonsReachable('node-input', 'keyring', 'iot-keyring');
  },
} satisfies FlowNodeDefinition<HmacVerifyConfig>);
