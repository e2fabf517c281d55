import { fieldValue } from './form';
import { RequestError, ask } from './request';
import { clearResult, showResult } from './result';
import { translate } from './translate';

/** What `POST mqtt2influx/iot-keyring/file` answers. */
interface KeyFileAnswer {
  state: 'missing' | 'good' | 'faulty';
  devices: number;
  revoked: number;
  reason: string;
}

/** The part of the dialog that looks at the device-key file, and offers to make one that is missing. */
export function prepareKeyFile(): void {
  const file = $('#node-config-input-file');
  const make = $('#iot-keyring-make-file').hide();
  const result = $('#iot-keyring-file-result');
  /** Number of the newest look: what is said of another file is dropped. */
  let newest = 0;

  const forget = () => {
    newest += 1;
    make.hide();
    clearResult(result);
  };
  const look = async (makes: boolean) => {
    forget();
    const number = newest;
    try {
      const body = { file: fieldValue('file'), encoding: fieldValue('encoding'), make: makes };
      const { state, devices, revoked, reason } = await ask<KeyFileAnswer>('iot-keyring/file', body);
      if (number !== newest) return;
      make.toggle(state === 'missing');
      const said = state === 'good' && makes ? 'made' : state;
      showResult(
        result,
        state === 'good' ? 'success' : 'failure',
        translate(`iot-keyring.file.${said}`, { devices, revoked, reason }),
      );
    } catch (error) {
      if (number === newest) showResult(result, 'failure', explain(error));
    }
  };

  file.on('input', forget);
  $('#node-config-input-encoding').on('change', forget);
  $('#iot-keyring-check-file').on('click', () => void look(false));
  make.on('click', () => void look(true));
  if (fieldValue('file').trim() !== '') void look(false);
}

function explain(error: unknown): string {
  if (!(error instanceof RequestError)) return String(error);
  if (error.status === 401 || error.status === 403) return translate('iot-keyring.file.forbidden');
  return error.message || translate('iot-keyring.file.failed');
}
