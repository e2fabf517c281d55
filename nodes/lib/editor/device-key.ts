import { fieldValue } from './form';
import { RequestError, ask } from './request';
import { clearResult, showResult } from './result';
import { translate } from './translate';

/** The part of the dialog that shows the key of one device, to be programmed into it. */
export function prepareDeviceKey(id: string): void {
  const device = $('#iot-keyring-device');
  const keyRow = $('#iot-keyring-key-row').hide();
  const key = $('#iot-keyring-key');
  const result = $('#iot-keyring-result');

  const forget = () => {
    keyRow.hide();
    key.val('');
    clearResult(result);
  };
  const show = async () => {
    forget();
    if (device.val() === '') {
      showResult(result, 'failure', translate('iot-keyring.error.no-device'));
      return;
    }
    try {
      const answer = await ask<{ key: string }>('iot-keyring/device-key', {
        id,
        device: String(device.val()),
        mode: fieldValue('mode'),
        encoding: fieldValue('encoding'),
        secret: fieldValue('secret'),
      });
      key.val(answer.key);
      keyRow.show();
      key.trigger('focus').trigger('select');
      showResult(result, 'success', translate('iot-keyring.key.shown', { device: String(device.val()) }));
    } catch (error) {
      showResult(result, 'failure', explain(error));
    }
  };

  $('#node-config-input-mode').on('change', () => {
    $('[data-mode]').toggle(fieldValue('mode') === 'master');
    forget();
  });
  $('#node-config-input-encoding, #node-config-input-secret').on('change input', forget);
  device.on('input', forget);
  device.on('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    void show();
  });
  $('#iot-keyring-show').on('click', () => void show());
  const copy = $('#iot-keyring-copy');
  RED.popover.tooltip(copy, translate('iot-keyring.button.copy'));
  copy.on('click', () => {
    if (RED.clipboard.copyText(String(key.val()))) {
      showResult(result, 'success', translate('iot-keyring.key.copied'));
    }
  });
}

function explain(error: unknown): string {
  if (!(error instanceof RequestError)) return String(error);
  if (error.status === 401 || error.status === 403) return translate('iot-keyring.key.forbidden');
  return error.message || translate('iot-keyring.key.failed');
}
