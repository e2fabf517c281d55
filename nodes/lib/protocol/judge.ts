import { canonicalText } from './canonical';
import { hasDigest } from './digest';
import { messageKey } from './key';
import { DEFAULT_MAXIMUM_BYTES } from './limits';
import { MalformedError } from './reader';
import { scanMessage } from './scan';
import { signedTime } from './timestamp';

/** What the protocol says of a message under a key, in the words that the conformance vectors use. */
export interface Judgement {
  verdict: 'verified' | 'verified as sent' | 'bad signature' | 'malformed' | 'bad timestamp';
  /** Canonical text of the payload; absent when malformed. */
  canonical?: string;
}

/** Judges one message (as text) under one key (its bytes), apart from any topic, window or rotation. */
export function judge(key: Buffer, text: string): Judgement {
  try {
    if (Buffer.byteLength(text, 'utf8') > DEFAULT_MAXIMUM_BYTES) return { verdict: 'malformed' };
    const message = scanMessage(text);
    const canonical = canonicalText(message.text);
    const secret = messageKey(key);
    const isCanonical = hasDigest(canonical, secret, message.digest);
    if (!isCanonical && !hasDigest(message.text, secret, message.digest))
      return { verdict: 'bad signature', canonical };
    if ('reason' in signedTime(message)) return { verdict: 'bad timestamp', canonical };
    return { verdict: isCanonical ? 'verified' : 'verified as sent', canonical };
  } catch (error) {
    if (error instanceof MalformedError) return { verdict: 'malformed' };
    throw error;
  }
}
