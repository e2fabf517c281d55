import { type DeviceKeys, type MessageKey, deriveDeviceKey, keyFromSecret, messageKey } from '../lib/protocol/key';
import { BoundedCache } from '../lib/bounded-cache';
import { quoted } from '../lib/shorten';
import { isEncoding, isKeyMode, type KeyMode, type SecretEncoding } from './config';

export type { DeviceKeys } from '../lib/protocol/key';
export { parseDeviceKeyFile } from './device-key-file';

/** The keys of a device, or why there are none (a reason for the operator). */
export type KeysOrMissing = { keys: DeviceKeys } | { missing: string };

/** Where a verifier takes keys from. */
export interface KeySource {
  /** `device` is undefined where the registry names no device for the topic. */
  keysFor(device: string | undefined): KeysOrMissing;
  /** A message of the device has fitted one of these keys, so that they are worth keeping: anybody can name devices. */
  keep?(device: string, keys: DeviceKeys): void;
}

export interface KeyringOptions {
  mode: KeyMode;
  encoding: SecretEncoding;
  /** The shared or master secret. May be missing when there are device keys: then only those devices have one. */
  secret?: string | undefined;
  /** The secret before the last rotation. */
  previousSecret?: string | undefined;
  /** Milliseconds since 1970 from which on the previous secret verifies nothing; without it, it does as long as it is there. */
  previousUntil?: number | undefined;
  /** Secrets of single devices, instead of the shared or derived key; null revokes the device. */
  deviceKeys?: ReadonlyMap<string, string | null> | undefined;
  /** Milliseconds since 1970; Date.now by default. */
  now?: () => number;
}

/**
 * The keys that messages are verified and signed with. A device that has a key of its own has no other: neither the shared
 * or derived key nor the previous secret opens it. Neither errors nor reasons hold a secret.
 */
export class Keyring implements KeySource {
  readonly #mode: KeyMode;
  readonly #encoding: SecretEncoding;
  readonly #current: Buffer | undefined;
  readonly #deviceKeys: ReadonlyMap<string, string | null>;
  readonly #now: () => number;
  #previous: Buffer | undefined;
  readonly #previousUntil: number;
  /** The answer for every device that shares the secret. */
  #shared: KeysOrMissing | undefined;
  /** Of devices whose messages have fitted, and of no others. */
  readonly #cache = new BoundedCache<{ keys: DeviceKeys }>();

  /** Throws an Error that says which secret is at fault, and how. */
  constructor(options: KeyringOptions) {
    // An imported flow can hold anything, and whatever is not `master` must not count as shared.
    if (!isKeyMode(options.mode)) throw new Error('the secret is neither a master nor shared: choose one');
    if (!isEncoding(options.encoding))
      throw new Error('how the secret is written is not known: choose text, base64 or hex');
    this.#mode = options.mode;
    this.#encoding = options.encoding;
    this.#deviceKeys = options.deviceKeys ?? new Map<string, string | null>();
    this.#now = options.now ?? Date.now;
    this.#previousUntil = options.previousUntil ?? Infinity;
    this.#current = this.#decode('secret', options.secret);
    this.#previous = this.#decode('previous secret', options.previousSecret);
    if (!this.#current && !options.deviceKeys) throw new Error('there is no secret');
    this.#shared = this.#sharedKeys();
  }

  keysFor(device: string | undefined): KeysOrMissing {
    if (this.#previous && this.#now() >= this.#previousUntil) this.#forgetPrevious();
    if (device === undefined) return this.#shared ?? { missing: this.#reasonWithoutDevice() };
    if (this.#shared && this.#deviceKeys.size === 0) return this.#shared;
    return this.#cache.get(device) ?? this.#answerFor(device);
  }

  keep(device: string, keys: DeviceKeys): void {
    const isShared = this.#shared !== undefined && 'keys' in this.#shared && this.#shared.keys === keys;
    if (!isShared && this.#cache.get(device) === undefined) this.#cache.set(device, { keys });
  }

  /** For how many devices keys are kept. */
  get kept(): number {
    return this.#cache.size;
  }

  /** The key to program a device with, in standard base64. Throws an Error when the device has none. */
  keyOf(device: string): string {
    const answer = this.keysFor(device);
    if ('missing' in answer) throw new Error(answer.missing);
    return answer.keys.current.export().toString('base64');
  }

  #answerFor(device: string): KeysOrMissing {
    const own = this.#deviceKeys.get(device);
    if (own === null) return { missing: `device ${quoted(device)} is revoked` };
    if (own !== undefined) {
      const secret = this.#decode(`secret of device ${quoted(device)}`, own);
      return secret
        ? { keys: { current: messageKey(secret) } }
        : { missing: `the secret of device ${quoted(device)} is empty` };
    }
    if (this.#shared) return this.#shared;
    if (!this.#current)
      return { missing: `device ${quoted(device)} is not in the device-key file, and there is no other secret` };
    const current = derived(this.#current, device);
    return { keys: this.#previous ? { current, previous: derived(this.#previous, device) } : { current } };
  }

  #sharedKeys(): KeysOrMissing | undefined {
    if (this.#mode === 'master' || !this.#current) return undefined;
    const current = messageKey(this.#current);
    return { keys: this.#previous ? { current, previous: messageKey(this.#previous) } : { current } };
  }

  #reasonWithoutDevice(): string {
    return this.#current
      ? 'no device is known for this topic, and the master secret gives a key only to a device'
      : 'no device is known for this topic, and the keyring has keys of single devices only';
  }

  #forgetPrevious(): void {
    this.#previous = undefined;
    this.#shared = this.#sharedKeys();
    this.#cache.clear();
  }

  #decode(what: string, secret: string | undefined): Buffer | undefined {
    if (secret === undefined || secret === '') return undefined;
    try {
      return keyFromSecret(secret, this.#encoding);
    } catch (error) {
      throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

function derived(master: Buffer, device: string): MessageKey {
  return messageKey(deriveDeviceKey(master, device));
}
