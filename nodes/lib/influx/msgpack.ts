/**
 * What MessagePack can hold, as far as InfluxDB uses it. An integer is a bigint whatever its size and a float a number,
 * which decoders made for JavaScript do not tell apart. Maps keep any key, `__proto__` too.
 */
export type MsgpackValue =
  null | boolean | number | bigint | string | MsgpackValue[] | ReadonlyMap<string, MsgpackValue>;

/** InfluxDB's extension type for a time: 8 bytes of seconds and 4 of nanoseconds. */
const TIME = 5;
const TIME_LENGTH = 12;
const SECOND = 1_000_000_000n;

/** Types 0xc0 to 0xdf: how many bytes of length follow the type byte, and how many bytes of content beside that length. */
const LENGTH_BYTES = [0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4];
const CONTENT_BYTES = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0];

function lengthAt(bytes: Buffer, at: number, size: number): number {
  return size === 0 ? 0 : bytes.readUIntBE(at, size);
}

/**
 * Finds where documents end in a stream of them, end to end as InfluxDB sends its chunks. Nothing is read twice, however
 * small the parts are that arrive.
 */
export class DocumentSplitter {
  /** The document under way. */
  #parts: Buffer[] = [];
  /** The start of a value whose length has not arrived yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes of content to pass over. */
  #skip = 0;
  /** Values that are still to come in the document. */
  #values = 1;

  /** Whether a document has begun that is not complete. */
  get isWithin(): boolean {
    return this.#parts.length > 0 || this.#rest.length > 0;
  }

  /** @returns the documents that have become complete */
  push(part: Uint8Array): Buffer[] {
    const bytes = Buffer.concat([this.#rest, part]);
    const documents: Buffer[] = [];
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      const headLength = this.#skip > 0 ? 0 : this.#headLength(bytes, at);
      if (at + headLength > bytes.length) break;
      if (headLength > 0) this.#enter(bytes, at, headLength);
      const step = Math.min(this.#skip, bytes.length - at - headLength);
      this.#skip -= step;
      at += headLength + step;
      if (this.#skip > 0 || this.#values > 0) continue;
      documents.push(Buffer.concat([...this.#parts, bytes.subarray(start, at)]));
      this.#parts = [];
      this.#values = 1;
      start = at;
    }
    if (at > start) this.#parts.push(bytes.subarray(start, at));
    this.#rest = bytes.subarray(at);
    return documents;
  }

  #headLength(bytes: Buffer, at: number): number {
    const type = bytes[at] ?? 0;
    return type < 0xc0 || type > 0xdf ? 1 : 1 + (LENGTH_BYTES[type - 0xc0] ?? 0);
  }

  #enter(bytes: Buffer, at: number, headLength: number): void {
    const type = bytes[at] ?? 0;
    this.#values -= 1;
    if (type < 0x80 || type > 0xdf) return;
    if (type < 0x90) this.#values += 2 * (type & 0x0f);
    else if (type < 0xa0) this.#values += type & 0x0f;
    else if (type < 0xc0) this.#skip = type & 0x1f;
    else {
      const length = lengthAt(bytes, at + 1, headLength - 1);
      if (type >= 0xde) this.#values += 2 * length;
      else if (type >= 0xdc) this.#values += length;
      else this.#skip = length + (CONTENT_BYTES[type - 0xc0] ?? 0);
    }
  }
}

/** Reads one complete document. */
export function decodeMsgpack(document: Buffer): MsgpackValue {
  return new Reader(document).value();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws RangeError when the document ends within a value */
  value(): MsgpackValue {
    const type = this.#bytes.readUInt8(this.#at++);
    if (type < 0x80) return BigInt(type);
    if (type < 0x90) return this.#map(type & 0x0f);
    if (type < 0xa0) return this.#array(type & 0x0f);
    if (type < 0xc0) return this.#text(type & 0x1f);
    if (type >= 0xe0) return BigInt(type - 0x100);
    const length = lengthAt(this.#bytes, this.#at, LENGTH_BYTES[type - 0xc0] ?? 0);
    this.#at += LENGTH_BYTES[type - 0xc0] ?? 0;
    if (type >= 0xde) return this.#map(length);
    if (type >= 0xdc) return this.#array(length);
    if (type >= 0xd9) return this.#text(length);
    return this.#scalar(type, length);
  }

  #scalar(type: number, length: number): MsgpackValue {
    const bytes = this.#bytes;
    const at = this.#at;
    this.#at += length + (CONTENT_BYTES[type - 0xc0] ?? 0);
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc7:
        return this.#time(at, length);
      case 0xca:
        return bytes.readFloatBE(at);
      case 0xcb:
        return bytes.readDoubleBE(at);
      case 0xcc:
        return BigInt(bytes.readUInt8(at));
      case 0xcd:
        return BigInt(bytes.readUInt16BE(at));
      case 0xce:
        return BigInt(bytes.readUInt32BE(at));
      case 0xcf:
        return bytes.readBigUInt64BE(at);
      case 0xd0:
        return BigInt(bytes.readInt8(at));
      case 0xd1:
        return BigInt(bytes.readInt16BE(at));
      case 0xd2:
        return BigInt(bytes.readInt32BE(at));
      case 0xd3:
        return bytes.readBigInt64BE(at);
      default:
        throw new RangeError(`InfluxDB is not known to send the MessagePack type 0x${type.toString(16)}`);
    }
  }

  /** Nanoseconds. */
  #time(at: number, length: number): bigint {
    if (length !== TIME_LENGTH || this.#bytes.readInt8(at) !== TIME) {
      throw new RangeError('InfluxDB is not known to send a MessagePack extension but its time');
    }
    return this.#bytes.readBigInt64BE(at + 1) * SECOND + BigInt(this.#bytes.readUInt32BE(at + 9));
  }

  #text(length: number): string {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('the MessagePack document ends within a text');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  #key(): string {
    const key = this.value();
    if (typeof key !== 'string')
      throw new RangeError('InfluxDB is not known to send a MessagePack key that is no text');
    return key;
  }

  #array(length: number): MsgpackValue[] {
    const values: MsgpackValue[] = [];
    for (let count = 0; count < length; count++) values.push(this.value());
    return values;
  }

  #map(length: number): ReadonlyMap<string, MsgpackValue> {
    const map = new Map<string, MsgpackValue>();
    for (let count = 0; count < length; count++) map.set(this.#key(), this.value());
    return map;
  }
}
