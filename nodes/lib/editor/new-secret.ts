import { fieldValue } from './form';
import { clearResult, showResult } from './result';
import { newSecret, weaknessOf } from './secret-check';
import { translate } from './translate';

/** The part of the dialog that makes a secret, and says what is weak about one that is typed. */
export function prepareSecret(): void {
  const secret = $('#node-config-input-secret');
  const result = $('#iot-keyring-secret-result');
  $('#iot-keyring-generate').on('click', () => {
    const made = newSecret(fieldValue('encoding'));
    secret.val(made).trigger('change');
    showResult(result, 'success', translate('iot-keyring.secret.generated'), [made]);
  });
  const judge = () => {
    const weakness = weaknessOf(fieldValue('secret'), fieldValue('encoding'));
    if (weakness === undefined) clearResult(result);
    else showResult(result, 'warning', translate(`iot-keyring.weak.${weakness}`));
  };
  secret.on('input', judge);
  $('#node-config-input-encoding').on('change', judge);
}
