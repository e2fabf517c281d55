import { currentValue, openConfigForm } from '../lib/editor/form';
import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { ConfigNodeDefinition } from '../lib/editor/node-definition';
import { translate } from '../lib/editor/translate';
import { isWholeNumber, validator } from '../lib/editor/validators';
import { DEFAULT_QUEUE_LIMIT, DEFAULT_TIMEOUT, type InfluxServerConfig, type InfluxServerCredentials } from './config';
import { prepareConnectionTest } from '../lib/editor/connection-test';
import { prepareQueueList } from '../lib/editor/queue-list';
import { isHttpUrl, prepareFields } from '../lib/editor/server-fields';

/** An hour, in seconds. */
const LONGEST_TIMEOUT = 3600;

/** A terabyte, in megabytes. */
const LARGEST_QUEUE = 1_048_576;

/** A check for an option that only one version of InfluxDB needs. */
function neededBy(version: string, message: string) {
  return validator<InfluxServerConfig>((value, node) =>
    value.trim() === '' && currentValue(node, 'serverVersion', node.serverVersion) === version
      ? translate(message)
      : undefined,
  );
}

RED.nodes.registerType('influx-server', {
  category: 'config',
  icon: 'influx-server.svg',
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    serverVersion: { value: '2' },
    url: {
      value: 'http://localhost:8086',
      label: translate('influx-server.label.url'),
      validate: validator((value) => (isHttpUrl(value) ? undefined : translate('influx-server.error.url'))),
    },
    tls: { value: '', type: 'tls-config', required: false, label: translate('influx-server.label.tls') },
    organization: {
      value: '',
      label: translate('influx-server.label.organization'),
      validate: neededBy('2', 'influx-server.error.organization'),
    },
    database: {
      value: '',
      label: translate('influx-server.label.database'),
      validate: neededBy('1', 'influx-server.error.database'),
    },
    timeout: {
      value: DEFAULT_TIMEOUT,
      label: translate('influx-server.label.timeout'),
      validate: validator((value) =>
        isWholeNumber(value, 1, LONGEST_TIMEOUT)
          ? undefined
          : translate('influx-server.error.timeout', { most: LONGEST_TIMEOUT }),
      ),
    },
    queueLimit: {
      value: DEFAULT_QUEUE_LIMIT,
      label: translate('influx-server.label.queueLimit'),
      validate: validator((value) =>
        isWholeNumber(value, 1, LARGEST_QUEUE)
          ? undefined
          : translate('influx-server.error.queueLimit', { most: LARGEST_QUEUE }),
      ),
    },
  },
  credentials: {
    token: {
      type: 'password',
      label: translate('influx-server.label.token'),
      validate: neededBy('2', 'influx-server.error.token'),
    },
    username: { type: 'text' },
    password: { type: 'password' },
  },
  paletteLabel: () => translate('influx-server.palette.label'),
  label() {
    return this.name || this.url || translate('influx-server.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    openConfigForm(this);
    makeConfigButtonsReachable('node-config-input', 'tls', 'tls-config');
    prepareFields();
    prepareConnectionTest(this.id);
    prepareQueueList(this.id);
  },
} satisfies ConfigNodeDefinition<InfluxServerConfig, InfluxServerCredentials>);
