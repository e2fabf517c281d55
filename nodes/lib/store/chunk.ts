import { sealInPlace, unseal } from './codec';
import { parseKey, sequenceOf, type Priority } from './keys';

/**
 * A chunk is what the queue stores at once: the lines that one node had accepted for one bucket in a few milliseconds.
 * Its record, numbers little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 5 | checksum and version, see codec.ts |
 * | 5 | 1 | 1: a line holds a line break (inside a string), so the lengths of all lines are given; else 0 |
 * | 6 | 4 | number of lines |
 * | 10 | 8 | when the first line was accepted: ms since 1970, a double |
 * | 18 | 2 | bytes of the origin |
 * | 20 | … | the origin: id of the node that accepted the lines, UTF-8 |
 * | … | 4 a line | only with the flag: length of each line in UTF-16 code units |
 * | … | … | the lines, joined by line breaks, UTF-8 |
 *
 * The queue writes and reads whole records: their lines are put into place once, and the checksum is computed once.
 */
export interface Chunk {
  readonly key: string;
  readonly bucket: string;
  readonly priority: Priority;
  /** Id of the node that accepted the lines. */
  readonly origin: string;
  /** Number of lines. */
  readonly points: number;
  /** UTF-8 bytes of the lines with the breaks between them. */
  readonly bytes: number;
  /** When the first line was accepted: ms since 1970. */
  readonly acceptedAt: number;
  lines(): string[];
  /** The lines joined by line breaks: the body of a write request as it is. */
  text(): string;
}

const HEADER = 20;
const WITH_LENGTHS = 1;

export interface ChunkParts {
  key: string;
  origin: string;
  acceptedAt: number;
  lines: readonly string[];
  /** A line holds a line break. */
  multiline: boolean;
}

/** The record to store, and how many of its bytes are the lines. */
export function encodeChunk({ key, origin, acceptedAt, lines, multiline }: ChunkParts): {
  value: Buffer;
  bytes: number;
} {
  const text = lines.join('\n');
  const bytes = Buffer.byteLength(text);
  const originBytes = Buffer.from(origin);
  const textStart = HEADER + originBytes.length + (multiline ? 4 * lines.length : 0);
  const value = Buffer.allocUnsafe(textStart + bytes);
  value.writeUInt8(multiline ? WITH_LENGTHS : 0, 5);
  value.writeUInt32LE(lines.length, 6);
  value.writeDoubleLE(acceptedAt, 10);
  value.writeUInt16LE(originBytes.length, 18);
  originBytes.copy(value, HEADER);
  if (multiline)
    lines.forEach((line, index) => value.writeUInt32LE(line.length, textStart + 4 * (index - lines.length)));
  value.write(text, textStart);
  return { value: sealInPlace(key, value), bytes };
}

/** The chunk whose record is stored under `key`; undefined when it cannot be read. */
export function decodeChunk(key: string, value: Buffer): StoredChunk | undefined {
  const parsed = parseKey(key);
  if (parsed === undefined || value.length < HEADER || typeof unseal(key, value) === 'string') return undefined;
  return new StoredChunk(key, parsed.bucket, parsed.priority, value);
}

/** A chunk as it was read; its lines are decoded only when somebody asks for them. */
export class StoredChunk implements Chunk {
  readonly key: string;
  readonly bucket: string;
  readonly priority: Priority;
  readonly origin: string;
  readonly sequence: number;
  readonly points: number;
  readonly bytes: number;
  readonly acceptedAt: number;
  readonly #value: Buffer;

  /** @param value - one whose checksum is right. */
  constructor(key: string, bucket: string, priority: Priority, value: Buffer) {
    this.key = key;
    this.bucket = bucket;
    this.priority = priority;
    this.sequence = sequenceOf(key);
    this.points = value.readUInt32LE(6);
    this.acceptedAt = value.readDoubleLE(10);
    const originEnd = HEADER + value.readUInt16LE(18);
    this.origin = value.toString('utf8', HEADER, originEnd);
    this.bytes = value.length - originEnd - (this.#multiline(value) ? 4 * this.points : 0);
    this.#value = value;
  }

  text(): string {
    return this.#value.toString('utf8', this.#value.length - this.bytes);
  }

  lines(): string[] {
    const text = this.text();
    if (!this.#multiline(this.#value)) return text.split('\n');
    const lines: string[] = [];
    let lengthAt = this.#value.length - this.bytes - 4 * this.points;
    for (let start = 0; lines.length < this.points; lengthAt += 4) {
      const end = start + this.#value.readUInt32LE(lengthAt);
      lines.push(text.slice(start, end));
      start = end + 1;
    }
    return lines;
  }

  #multiline(value: Buffer): boolean {
    return value.readUInt8(5) === WITH_LENGTHS;
  }
}
