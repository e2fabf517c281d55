import { canonicalText } from './canonical';
import { hasDigest } from './digest';
import type { DeviceKeys } from './key';
import type { ScannedMessage } from './scan';

/** Which key and which text of the payload the signature of a message belongs to. */
export interface Fit {
  key: 'current' | 'previous';
  form: 'as-sent' | 'canonical';
  /** The payload as it was signed. */
  text: string;
}

/**
 * Finds what a message's hmac was made of: the payload exactly as sent, or its canonical text, which is computed only when
 * the first does not fit. Undefined when nothing fits.
 */
export function findFit(message: ScannedMessage, keys: DeviceKeys): Fit | undefined {
  const { text, digest } = message;
  if (hasDigest(text, keys.current, digest)) return { key: 'current', form: 'as-sent', text };
  const canonical = canonicalText(text);
  if (canonical !== text && hasDigest(canonical, keys.current, digest)) {
    return { key: 'current', form: 'canonical', text: canonical };
  }
  if (keys.previous === undefined) return undefined;
  if (hasDigest(text, keys.previous, digest)) return { key: 'previous', form: 'as-sent', text };
  if (canonical !== text && hasDigest(canonical, keys.previous, digest)) {
    return { key: 'previous', form: 'canonical', text: canonical };
  }
  return undefined;
}
