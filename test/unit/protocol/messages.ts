import { messageKey } from '../../../nodes/lib/protocol/key';
import { hmacOf } from '../../../nodes/lib/protocol/digest';

/** What the unit tests of the protocol sign with. */
export const SECRET = Buffer.from('an example key, 32 bytes long!!!');
export const KEY = messageKey(SECRET);

/** A message whose payload is signed exactly as it is written. */
export function signedAsSent(payloadText: string, key = KEY): string {
  return `{"hmac":"${hmacOf(payloadText, key)}","payload":${payloadText}}`;
}
