import type { DeviceKeys, KeySource } from '../iot-keyring/keyring';
import { MalformedError } from '../lib/protocol/reader';
import { type ScannedMessage, scanMessage, textOfBytes } from '../lib/protocol/scan';
import { signedTime } from '../lib/protocol/timestamp';
import { type Fit, findFit } from '../lib/protocol/verify';
import { quoted } from '../lib/shorten';
import { durationText } from './duration';
import { type ParsedObject, findParsedFit, isLongerThan, isParsedObject, messageOf } from './parsed-object';

/** Why a message is not verified; see the help of the node. */
export type VerifyCode = 'malformed' | 'too-large' | 'no-key' | 'bad-signature' | 'bad-timestamp' | 'stale' | 'future';

/** What is known of a verified message beside its payload. */
export interface Verified {
  /** The device that the registry names for the topic; undefined where it names none. */
  device: string | undefined;
  /** Which key verified; `previous` shows who still uses the key from before the last rotation. */
  key: 'current' | 'previous';
  form: 'as-sent' | 'canonical';
  /** When it was signed, in milliseconds since 1970. */
  at: number;
  /** The payload as signed: JSON text, where exact digits are. */
  text: string;
}

export type Verdict =
  { ok: true; payload: Record<string, unknown>; verified: Verified } | { ok: false; code: VerifyCode; reason: string };

/** What the verifier needs of the registry. */
export interface RegistryView {
  match(topic: string):
    | {
        device: string | undefined;
        /** How far in the past and future a signed time may lie, in milliseconds. */
        window: { past: number | undefined; future: number };
      }
    | undefined;
}

export interface VerifierOptions {
  /** The registry in force, undefined while there is none. */
  registry(): RegistryView | undefined;
  keyring: KeySource;
  /** Longest message accepted, in bytes as received. */
  maxBytes: number;
  /** Milliseconds since 1970; Date.now by default. */
  now?: () => number;
}

/** For a topic that the registry does not know: its message is rejected later, by who knows the registry. */
const UNREGISTERED = { device: undefined, window: { past: undefined, future: 60_000 } };

const SET_TO_BUFFER = 'set the output of the "mqtt in" node to "a Buffer"';

/**
 * Verifies messages one by one. It keeps no state about them: a message sent again gets the same verdict until its time,
 * its key or its topic's window has run out.
 */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #now: () => number;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** `received` is what `mqtt in` hands over: a Buffer or string, or an object that it has parsed. Throws only what the key source throws. */
  verify(received: unknown, topic: string): Verdict {
    try {
      if (Buffer.isBuffer(received)) return this.#verifyBytes(received, topic);
      if (typeof received === 'string') return this.#verifyText(received, topic);
      if (isParsedObject(received)) return this.#verifyObject(received, topic);
    } catch (error) {
      if (error instanceof MalformedError) return rejected('malformed', error.message);
      throw error;
    }
    return rejected(
      'malformed',
      `a message is a Buffer or a string, but this is ${kindOf(received)}; ${SET_TO_BUFFER}`,
    );
  }

  #verifyBytes(bytes: Buffer, topic: string): Verdict {
    if (bytes.length > this.#options.maxBytes) return this.#tooLarge(bytes.length);
    return this.#verifyMessage(scanMessage(textOfBytes(bytes)), topic);
  }

  #verifyText(text: string, topic: string): Verdict {
    // No character of UTF-16 needs more than three bytes of UTF-8, so most texts need no counting.
    if (text.length * 3 > this.#options.maxBytes) {
      const bytes = Buffer.byteLength(text, 'utf8');
      if (bytes > this.#options.maxBytes) return this.#tooLarge(bytes);
    }
    return this.#verifyMessage(scanMessage(text), topic);
  }

  #verifyMessage(message: ScannedMessage, topic: string, parsed?: ParsedObject): Verdict {
    const { device, window } = this.#options.registry()?.match(topic) ?? UNREGISTERED;
    const found = this.#options.keyring.keysFor(device);
    if ('missing' in found) return rejected('no-key', found.missing);
    const fit = parsed ? findParsedFit(parsed, message, found.keys) : findFit(message, found.keys);
    if (fit) {
      if (device !== undefined) this.#options.keyring.keep?.(device, found.keys);
      return this.#judgeTime(message, fit, device, window);
    }
    return rejected(
      'bad-signature',
      `the hmac fits neither the payload as sent nor its canonical text ${underKeys(device, found.keys)}` +
        (parsed ? `; it came as a parsed object, which no longer tells 20.0 from 20: ${SET_TO_BUFFER}` : ''),
    );
  }

  #verifyObject(received: ParsedObject, topic: string): Verdict {
    // The size as received is not known any more; the canonical text is never much shorter.
    const { maxBytes } = this.#options;
    if (isLongerThan(received['payload'], maxBytes)) {
      return rejected('too-large', `the payload has more than ${maxBytes} characters; at most so many are accepted`);
    }
    const message = messageOf(received);
    if (message.text.length > maxBytes) return this.#tooLarge(message.text.length);
    return this.#verifyMessage(message, topic, received);
  }

  #judgeTime(
    message: ScannedMessage,
    fit: Fit,
    device: string | undefined,
    window: { past: number | undefined; future: number },
  ): Verdict {
    const time = signedTime(message);
    if ('reason' in time) return rejected('bad-timestamp', time.reason);
    const age = this.#now() - time.at;
    if (window.past !== undefined && age > window.past) {
      return rejected(
        'stale',
        `signed ${durationText(age)} ago (${new Date(time.at).toISOString()}); this topic accepts ${durationText(window.past)}`,
      );
    }
    if (-age > window.future) {
      return rejected(
        'future',
        `signed ${durationText(-age)} ahead of this machine's clock (${new Date(time.at).toISOString()}); this topic ` +
          `accepts ${durationText(window.future)}`,
      );
    }
    return {
      ok: true,
      payload: message.payload,
      verified: { device, key: fit.key, form: fit.form, at: time.at, text: fit.text },
    };
  }

  #tooLarge(bytes: number): Verdict {
    return rejected('too-large', `${bytes} bytes; at most ${this.#options.maxBytes} are accepted`);
  }
}

function rejected(code: VerifyCode, reason: string): Verdict {
  return { ok: false, code, reason };
}

function underKeys(device: string | undefined, keys: DeviceKeys): string {
  const which = keys.previous ? 'under the current or the previous key' : 'under the key';
  return device === undefined ? which : `${which} of device ${quoted(device)}`;
}

function kindOf(received: unknown): string {
  if (received === null) return 'null';
  return Array.isArray(received) ? 'an array' : `of type ${typeof received}`;
}
