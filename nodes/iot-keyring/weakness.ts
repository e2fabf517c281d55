import { keyFromSecret } from '../lib/protocol/key';
import type { SecretEncoding } from './config';

/** Bytes below which a secret can be guessed: 128 bits (NIST SP 800-107, 5.3.4, asks for no fewer of an HMAC key). */
export const LEAST_BYTES = 16;

/** The secret of all examples, which everybody knows. */
export const EXAMPLE_SECRET = 'example secret, replace it';

/** Why a secret protects little. */
export type Weakness = 'short' | 'example';

/** What is weak about a secret that can be used; undefined for a good one. */
export function weaknessOf(secret: string, encoding: SecretEncoding): Weakness | undefined {
  const key = keyFromSecret(secret, encoding);
  if (key.equals(Buffer.from(EXAMPLE_SECRET))) return 'example';
  return key.length < LEAST_BYTES ? 'short' : undefined;
}

/** How many devices have a weak secret of their own. */
export function weakDevices(secrets: Iterable<string | null>, encoding: SecretEncoding): number {
  let count = 0;
  for (const secret of secrets) if (secret !== null && weaknessOf(secret, encoding) !== undefined) count += 1;
  return count;
}
