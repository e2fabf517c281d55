import { DEFAULT_MAXIMUM_BYTES } from '../protocol/limits';

/** MQTT 5 section 1.5.4: of a topic. */
const LONGEST_TOPIC = 65_535;

/**
 * Bytes of a PUBLISH after its fixed header that are let through: whatever its topic (with its length) and packet id leave,
 * the message in it is longer than the longest one, if it was cut.
 */
const LONGEST_PUBLISH = 2 + LONGEST_TOPIC + 2 + DEFAULT_MAXIMUM_BYTES + 1;

/** Bytes of a packet that an MQTT 5 broker is asked not to exceed: room for properties, too. */
export const MAXIMUM_PACKET_SIZE = 262_144;

const PUBLISH = 3;

/** A packet that nobody may send. */
export class PacketTooLarge extends Error {}

/**
 * Cuts the messages that a broker passes on, as they come in: MQTT.js keeps a whole packet in memory before anybody can see
 * how long it is, and one may have 256 MiB. To break off instead would be no help, as the broker sends it again. What was cut
 * is still too long for everybody who judges it by its length.
 */
export class PacketLimit {
  readonly #isVersion5: boolean;
  /** The fixed header so far (MQTT 5 section 2.1.1): a byte, and the length in one to four. */
  #header: number[] = [];
  /** Bytes of the packet at hand that are still let through, and that are left out after them. */
  #passing = 0;
  #skipping = 0;

  /** Over MQTT 5 the broker has been told the limit, and its messages cannot be cut: properties come before the message. */
  constructor(isVersion5: boolean) {
    this.#isVersion5 = isVersion5;
  }

  /**
   * What is let through of the bytes that have come in.
   *
   * @throws PacketTooLarge
   */
  filter(bytes: Buffer): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      if (this.#passing > 0) {
        const part = bytes.subarray(at, at + this.#passing);
        parts.push(part);
        this.#passing -= part.length;
        at += part.length;
      } else if (this.#skipping > 0) {
        const skipped = Math.min(this.#skipping, bytes.length - at);
        this.#skipping -= skipped;
        at += skipped;
      } else {
        this.#header.push(bytes[at++] ?? 0);
        if (this.#isHeaderWhole()) parts.push(this.#begin());
      }
    }
    const [first = bytes.subarray(0, 0)] = parts;
    return parts.length <= 1 ? first : Buffer.concat(parts);
  }

  #isHeaderWhole(): boolean {
    return this.#header.length === 5 || (this.#header.length > 1 && ((this.#header.at(-1) ?? 0) & 0x80) === 0);
  }

  /** A packet begins: gives the fixed header that is let through. */
  #begin(): Buffer {
    const [first = 0, ...digits] = this.#header;
    this.#header = [];
    const length = digits.reduceRight((sum, digit) => sum * 128 + (digit & 0x7f), 0);
    const limit = this.#isVersion5 ? MAXIMUM_PACKET_SIZE : LONGEST_PUBLISH;
    if (length > limit && (this.#isVersion5 || first >> 4 !== PUBLISH)) {
      throw new PacketTooLarge(`The broker sends a packet of ${length} bytes, and at most ${limit} are taken`);
    }
    this.#passing = Math.min(length, limit);
    this.#skipping = length - this.#passing;
    return Buffer.from([first, ...(this.#skipping > 0 ? lengthOf(this.#passing) : digits)]);
  }
}

/** MQTT 5 section 1.5.5: seven bits a byte, the lowest first. */
function lengthOf(length: number): number[] {
  return length < 128 ? [length] : [(length % 128) | 0x80, ...lengthOf(Math.floor(length / 128))];
}

/** What is used of a stream. */
interface Incoming {
  push(chunk: unknown, encoding?: BufferEncoding): boolean;
  destroy(error: Error): unknown;
}

/** Puts a limit to what comes in by a stream from now on; a packet that cannot be cut ends it with an error. */
export function limitPackets(stream: Incoming, isVersion5: boolean): void {
  const limit = new PacketLimit(isVersion5);
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (!Buffer.isBuffer(chunk)) return push(chunk, encoding);
    try {
      return push(limit.filter(chunk));
    } catch (error) {
      stream.destroy(Object.assign(error as Error, { code: 'packet-too-large' }));
      return false;
    }
  };
}
