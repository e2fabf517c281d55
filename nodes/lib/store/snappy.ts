import { readVarint } from './varint';

/** How large a block may be that is taken for one: its length is the first thing that it says. */
const LIMIT = 64 * 1024 * 1024;

/**
 * What Snappy has made smaller (its `format_description.txt`), as blocks of LevelDB's tables are; undefined for what it
 * cannot have written.
 */
export function uncompress(bytes: Buffer): Buffer | undefined {
  const length = readVarint(bytes, 0);
  if (length === undefined || length.value > LIMIT) return undefined;
  const output = Buffer.alloc(length.value);
  let at = length.end;
  let filled = 0;
  while (at < bytes.length) {
    const tag = bytes[at++] ?? 0;
    const isLiteral = (tag & 3) === 0;
    const short = tag >> 2;
    // Bytes that follow the tag: of the length of a long literal, or of the distance of a copy.
    const extra = isLiteral ? Math.max(0, short - 59) : ([1, 1, 2, 4][tag & 3] ?? 0);
    if (at + extra > bytes.length) return undefined;
    const number = extra === 0 ? 0 : bytes.readUIntLE(at, extra);
    at += extra;
    let count = short + 1;
    if (isLiteral) {
      if (extra > 0) count = number + 1;
      if (at + count > bytes.length || filled + count > output.length) return undefined;
      bytes.copy(output, filled, at, at + count);
      at += count;
    } else {
      const isNear = (tag & 3) === 1;
      if (isNear) count = 4 + (short & 7);
      const distance = isNear ? ((tag & 0xe0) << 3) | number : number;
      if (distance === 0 || distance > filled || filled + count > output.length) return undefined;
      // Byte by byte: a copy may overlap itself.
      for (let index = 0; index < count; index++) output[filled + index] = output[filled + index - distance] ?? 0;
    }
    filled += count;
  }
  return filled === output.length ? output : undefined;
}
