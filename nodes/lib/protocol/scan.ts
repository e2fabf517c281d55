import { isAscii, isUtf8 } from 'node:buffer';
import { digestOf } from './digest';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  JsonReader,
  MINUS,
  MalformedError,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  ZERO,
} from './reader';

/** A payload and what its JavaScript value no longer tells. */
export interface ScannedPayload {
  payload: Record<string, unknown>;
  /** The payload's text, as sent. */
  text: string;
  /** Member `ts` when it is written as an integer. */
  seconds: number | undefined;
  /** Member `ts_ns` when it is written as an integer. */
  nanoseconds: number | undefined;
}

export interface ScannedMessage extends ScannedPayload {
  /** The 32 bytes of member `hmac`. */
  digest: Buffer;
}

/** The text of received bytes. Throws MalformedError when they are not UTF-8. A byte order mark stays, and no JSON starts with one. */
export function textOfBytes(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new MalformedError('the message is not UTF-8');
}

/**
 * Reads a whole message: one JSON object with an object `payload` and the `hmac` over it. Other members are read by the
 * same rules and left out. Throws MalformedError.
 */
export function scanMessage(text: string): ScannedMessage {
  return new Scanner(text).message();
}

/** Reads a payload by the rules that hold inside a message. Throws MalformedError. */
export function scanPayload(text: string): ScannedPayload {
  return new Scanner(text).onlyPayload();
}

/** One pass over the text that builds the payload and refuses what no message may hold. */
class Scanner extends JsonReader {
  private payload: Record<string, unknown> | undefined;
  private payloadText = '';
  private seconds: number | undefined;
  private nanoseconds: number | undefined;

  message(): ScannedMessage {
    if (this.peek() !== OPEN_BRACE) this.unexpected();
    // The message object is not counted as a level: see MAXIMUM_DEPTH.
    this.depth = -1;
    const message = this.object(false);
    this.finish();
    const hmac = message['hmac'];
    if (hmac === undefined) throw new MalformedError('member "hmac" is missing');
    if (typeof hmac !== 'string') throw new MalformedError('member "hmac" is not a string');
    if (this.payload === undefined) {
      throw new MalformedError(`member "payload" is ${'payload' in message ? 'not an object' : 'missing'}`);
    }
    return {
      digest: digestOf(hmac),
      payload: this.payload,
      text: this.payloadText,
      seconds: this.seconds,
      nanoseconds: this.nanoseconds,
    };
  }

  onlyPayload(): ScannedPayload {
    if (this.peek() !== OPEN_BRACE) this.unexpected();
    const payload = this.readPayload();
    this.finish();
    return { payload, text: this.payloadText, seconds: this.seconds, nanoseconds: this.nanoseconds };
  }

  private value(): unknown {
    const code = this.peek();
    if (code === QUOTE) return this.string();
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.number();
    if (code === OPEN_BRACE) return this.object(false);
    if (code === OPEN_BRACKET) return this.array();
    return this.word();
  }

  private array(): unknown[] {
    const elements: unknown[] = [];
    if (!this.enter(CLOSE_BRACKET)) return elements;
    do elements.push(this.value());
    while (this.more(CLOSE_BRACKET));
    return elements;
  }

  private object(isPayload: boolean): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    if (!this.enter(CLOSE_BRACE)) return object;
    const isMessage = this.depth === 0;
    do {
      const name = this.memberName();
      if (Object.hasOwn(object, name)) this.fail(`member ${JSON.stringify(name.slice(0, 64))} twice`);
      const value = isMessage && name === 'payload' ? this.payloadMember() : this.value();
      if (name === '__proto__') {
        // Assigning would set the prototype; JSON means a member like any other.
        Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
        continue;
      }
      object[name] = value;
      if (!isPayload) continue;
      if (name === 'ts') this.seconds = this.integer(value);
      else if (name === 'ts_ns') this.nanoseconds = this.integer(value);
    } while (this.more(CLOSE_BRACE));
    return object;
  }

  private payloadMember(): unknown {
    return this.peek() === OPEN_BRACE ? this.readPayload() : this.value();
  }

  private readPayload(): Record<string, unknown> {
    const start = this.position;
    this.payload = this.object(true);
    this.payloadText = this.text.slice(start, this.position);
    return this.payload;
  }

  /** The value read just now, when it is a number written as an integer. */
  private integer(value: unknown): number | undefined {
    return typeof value === 'number' && this.isInteger ? value : undefined;
  }
}
