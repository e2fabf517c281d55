import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** A key for HMAC-SHA-256. A KeyObject that is kept: with a Buffer, Node 24 needs five times as long for a message. */
export type MessageKey = KeyObject;

/** The keys that may have signed a device's message. */
export interface DeviceKeys {
  current: MessageKey;
  /** The key before the last rotation, as long as it is still accepted. */
  previous?: MessageKey;
}

export function messageKey(secret: Buffer): MessageKey {
  return createSecretKey(secret);
}

/**
 * The bytes of a secret as it is written down. White space around base64 and hex is ignored. Throws an Error that names
 * the fault and never the secret.
 */
export function keyFromSecret(secret: string, encoding: 'text' | 'base64' | 'hex'): Buffer {
  const bytes = encoding === 'text' ? Buffer.from(secret, 'utf8') : decode(secret.trim(), encoding);
  if (bytes.length === 0) throw new Error('the secret is empty');
  return bytes;
}

function decode(text: string, encoding: 'base64' | 'hex'): Buffer {
  const bytes = Buffer.from(text, encoding);
  // Buffer.from passes over what it cannot read; a secret must be exactly what it says.
  const written = bytes.toString(encoding);
  if (written !== (encoding === 'hex' ? text.toLowerCase() : text)) {
    throw new Error(`the secret is not ${encoding === 'hex' ? 'hexadecimal' : 'standard base64 with padding'}`);
  }
  return bytes;
}

/** The key of one device under a master secret: HMAC-SHA-256(master, UTF-8 device id), 32 bytes. */
export function deriveDeviceKey(master: Buffer, device: string): Buffer {
  return createHmac('sha256', master).update(device, 'utf8').digest();
}
