import { translate } from './translate';

/** What the editor shows for a deployed secret, which never comes back to it. */
const DEPLOYED = '__PWRD__';

const VARIABLE = /^\$(?:\{\S+\}|\(\S+\))$/;

/** What is wrong with a typed secret; the runtime reads it in the same way. */
export function secretFault(secret: string, encoding: string): string | undefined {
  // What an environment variable holds is known to the runtime only.
  if (secret === DEPLOYED || VARIABLE.test(secret)) return undefined;
  const written = secret.trim();
  if (encoding === 'base64' && !isBase64(written)) return translate('iot-keyring.error.base64');
  if (encoding === 'hex' && !/^(?:[0-9a-f]{2})+$/i.test(written)) return translate('iot-keyring.error.hex');
  return undefined;
}

/** Bytes below which a secret can be guessed, and the secret that everybody knows; the runtime has the same. */
const LEAST_BYTES = 16;
const EXAMPLE = 'example secret, replace it';

/** Why a typed secret protects little, if so. */
export function weaknessOf(secret: string, encoding: string): 'short' | 'example' | undefined {
  if (secret === '' || secret === DEPLOYED || VARIABLE.test(secret)) return undefined;
  if (secretFault(secret, encoding) !== undefined) return undefined;
  if (encoding === 'text' && secret === EXAMPLE) return 'example';
  return bytesOf(secret, encoding) < LEAST_BYTES ? 'short' : undefined;
}

/** A new secret of 32 random bytes, written as the keyring's secrets are. */
export function newSecret(encoding: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  if (encoding === 'hex') return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return btoa(String.fromCharCode(...bytes));
}

function bytesOf(secret: string, encoding: string): number {
  if (encoding === 'hex') return secret.trim().length / 2;
  return encoding === 'base64' ? atob(secret.trim()).length : new TextEncoder().encode(secret).length;
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
