import { createHmac, timingSafeEqual } from 'node:crypto';
import type { MessageKey } from './key';
import { MalformedError } from './reader';

const DIGEST_BYTES = 32;
/** 32 bytes are 42 characters and two thirds: the 43rd carries four bits and two zero ones, the 44th is padding. */
const DIGEST_CHARACTERS = 44;
const INVALID = 0xff;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = ALPHABET.indexOf(String.fromCharCode(code));
  return value === -1 ? INVALID : value;
});

/** Reused for every comparison, which is over before anything else can run. */
const expected = Buffer.alloc(DIGEST_BYTES);

/** HMAC-SHA-256 of a text, in standard base64. */
export function hmacOf(text: string, key: MessageKey): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('base64');
}

/**
 * The bytes of a member `hmac`, which is exactly 44 characters of standard base64 (RFC 4648 section 4), unused bits zero
 * (section 3.5), so that a digest has one written form only. Throws MalformedError.
 */
export function digestOf(hmac: string): Buffer {
  if (hmac.length !== DIGEST_CHARACTERS || hmac.charAt(DIGEST_CHARACTERS - 1) !== '=') return refuse();
  const digest = Buffer.allocUnsafe(DIGEST_BYTES);
  let seen = 0;
  let at = 0;
  for (let from = 0; from < DIGEST_CHARACTERS; from += 4) {
    const first = valueAt(hmac, from);
    const second = valueAt(hmac, from + 1);
    const third = valueAt(hmac, from + 2);
    const fourth = from + 3 === DIGEST_CHARACTERS - 1 ? 0 : valueAt(hmac, from + 3);
    seen |= first | second | third | fourth;
    digest[at++] = (first << 2) | (second >> 4);
    digest[at++] = (second << 4) | (third >> 2);
    if (at < DIGEST_BYTES) digest[at++] = (third << 6) | fourth;
    else if ((third & 3) !== 0) return refuse();
  }
  return seen < 64 ? digest : refuse();
}

function valueAt(text: string, at: number): number {
  return VALUES[text.charCodeAt(at)] ?? INVALID;
}

function refuse(): never {
  throw new MalformedError('member "hmac" is not 44 characters of standard base64');
}

/** Whether `digest` is the HMAC-SHA-256 of a text; takes the same time wherever they differ. */
export function hasDigest(text: string, key: MessageKey, digest: Buffer): boolean {
  // As a string: a digest as a Buffer of its own costs a third more than the whole HMAC.
  expected.write(createHmac('sha256', key).update(text, 'utf8').digest('binary'), 'latin1');
  return timingSafeEqual(expected, digest);
}
