import type { NodeDef } from 'node-red';

/** `shared`: one key for every device. `master`: each device's key is HMAC-SHA-256(secret, device id). */
export type KeyMode = 'shared' | 'master';

export function isKeyMode(mode: string): mode is KeyMode {
  return mode === 'shared' || mode === 'master';
}

/** How a secret is written down: its UTF-8 text, base64 or hex. */
export type SecretEncoding = 'text' | 'base64' | 'hex';

export function isEncoding(encoding: string): encoding is SecretEncoding {
  return encoding === 'text' || encoding === 'base64' || encoding === 'hex';
}

/** The options of `iot-keyring`, as the editor stores them in the flow. The secrets themselves are credentials. */
export interface IotKeyringConfig extends NodeDef {
  /** Version of these options, for migrations. */
  version: number;
  mode: KeyMode;
  encoding: SecretEncoding;
  /** ISO 8601 moment until which the previous secret still verifies; empty: for as long as it is there. */
  previousUntil: string;
  /** Optional device-key file (`id: secret` a line, `id: null` revokes); relative paths start at the user directory. Watched. */
  file: string;
}

/** Kept in Node-RED's encrypted credentials; they never return to the editor. */
export interface IotKeyringCredentials {
  secret?: string;
  previousSecret?: string;
}
