import { type Signable, canonicalTextOf } from './canonical';
import { hmacOf } from './digest';
import type { MessageKey } from './key';

/**
 * A whole message with its payload in canonical text, so that every receiver agrees on what was signed. Throws
 * MalformedError for what JSON cannot hold.
 */
export function signMessage(payload: Readonly<Record<string, Signable>>, key: MessageKey): string {
  const text = canonicalTextOf(payload);
  return `{"hmac":"${hmacOf(text, key)}","payload":${text}}`;
}
