import { makeConfigButtonsReachable } from '../lib/editor/keyboard';
import type { FlowNodeDefinition } from '../lib/editor/node-definition';
import { isSchedule } from '../lib/editor/schedule';
import { addStyle } from '../lib/editor/style';
import { translate } from '../lib/editor/translate';
import { isWholeNumber, validator } from '../lib/editor/validators';
import { DEFAULT_KEEP, type InfluxBackupConfig } from './config';

/** A hundred years, the longest retention that a registry may name. */
const MOST_DAYS = 36_500;

RED.nodes.registerType('influx-backup', {
  category: 'mqtt2influx',
  categoryDescription: translate('influx-backup.palette.category'),
  color: '#3FADB5',
  icon: 'influx-backup.svg',
  inputs: 1,
  outputs: 2,
  defaults: {
    name: { value: '' },
    version: { value: 1 },
    registry: { value: '', type: 'iot-registry', required: true, label: translate('influx-backup.label.registry') },
    server: { value: '', type: 'influx-server', required: true, label: translate('influx-backup.label.server') },
    directory: {
      value: '',
      label: translate('influx-backup.label.directory'),
      validate: validator((value) => (value.trim() === '' ? translate('influx-backup.error.directory') : undefined)),
    },
    schedule: {
      value: '',
      label: translate('influx-backup.label.schedule'),
      validate: validator((value) => (isSchedule(value) ? undefined : translate('influx-backup.error.schedule'))),
    },
    keep: {
      value: DEFAULT_KEEP,
      label: translate('influx-backup.label.keep'),
      validate: validator((value) =>
        isWholeNumber(value, 0, MOST_DAYS) ? undefined : translate('influx-backup.error.keep', { most: MOST_DAYS }),
      ),
    },
  },
  paletteLabel: () => translate('influx-backup.palette.label'),
  label() {
    return this.name || translate('influx-backup.palette.label');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels(index) {
    return [translate('influx-backup.output.result'), translate('influx-backup.output.progress')][index];
  },
  oneditprepare() {
    addStyle();
    makeConfigButtonsReachable('node-input', 'registry', 'iot-registry');
    makeConfigButtonsReachable('node-input', 'server', 'influx-server');
  },
} satisfies FlowNodeDefinition<InfluxBackupConfig>);
