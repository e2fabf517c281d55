import { currentValue, openConfigForm } from '../lib/editor/form';
import type { ConfigNodeDefinition } from '../lib/editor/node-definition';
import { translate } from '../lib/editor/translate';
import { validator } from '../lib/editor/validators';
import type { IotKeyringConfig, IotKeyringCredentials } from './config';
import { prepareDeviceKey } from '../lib/editor/device-key';
import { prepareKeyFile } from '../lib/editor/key-file';
import { prepareSecret } from '../lib/editor/new-secret';
import { isMoment, secretFault } from '../lib/editor/secret-check';

RED.nodes.registerType('iot-keyring', {
  category: 'config',
  icon: 'iot-keyring.svg',
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    mode: { value: 'master' },
    encoding: { value: 'text' },
    previousUntil: {
      value: '',
      label: translate('iot-keyring.label.previousUntil'),
      validate: validator((value) =>
        value === '' || isMoment(value) ? undefined : translate('iot-keyring.error.moment'),
      ),
    },
    file: { value: '' },
  },
  credentials: {
    secret: {
      type: 'password',
      label: translate('iot-keyring.label.secret'),
      validate: validator<IotKeyringConfig>((value, node) => {
        if (value !== '') return secretFault(value, currentValue(node, 'encoding', node.encoding));
        const file = currentValue(node, 'file', node.file);
        return file.trim() === '' ? translate('iot-keyring.error.secret-or-file') : undefined;
      }),
    },
    previousSecret: {
      type: 'password',
      label: translate('iot-keyring.label.previousSecret'),
      validate: validator<IotKeyringConfig>((value, node) =>
        value === '' ? undefined : secretFault(value, currentValue(node, 'encoding', node.encoding)),
      ),
    },
  },
  paletteLabel: () => translate('iot-keyring.palette.label'),
  label() {
    return this.name || translate('iot-keyring.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    openConfigForm(this);
    prepareSecret();
    prepareKeyFile();
    prepareDeviceKey(this.id);
  },
} satisfies ConfigNodeDefinition<IotKeyringConfig, IotKeyringCredentials>);
