import { translate } from './translate';

/** What the editor shows for a deployed secret, which never comes back to it. */
const DEPLOYED = '__PWRD__';

/** What is wrong with a typed secret; the runtime reads it in the same way. */
export function secretFault(secret: string, encoding: string): string | undefined {
  // What an environment variable holds is known to the runtime only.
  if (secret === DEPLOYED || /^\$(?:\{\S+\}|\(\S+\))$/.test(secret)) return undefined;
  const written = secret.trim();
  if (encoding === 'base64' && !isBase64(written)) return translate('iot-keyring.error.base64');
  if (encoding === 'hex' && !/^(?:[0-9a-f]{2})+$/i.test(written)) return translate('iot-keyring.error.hex');
  return undefined;
}

/** A moment with its time zone, without which it would mean something else on each machine. */
export function isMoment(text: string): boolean {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;
  return form.test(text) && !Number.isNaN(Date.parse(text));
}

/** Decoding passes over what does not belong there; what is encoded again shows it. */
function isBase64(text: string): boolean {
  try {
    return text !== '' && btoa(atob(text)) === text;
  } catch {
    return false;
  }
}
