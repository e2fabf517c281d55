import { crc32c } from './crc32c';

/**
 * LevelDB's log format (its `doc/log_format.md`), which its `.log` and `MANIFEST` files have: blocks of 32 KiB that hold
 * records of checksum (4 bytes), length (2), type (1) and data.
 */
const BLOCK = 32_768;
const HEADER = 7;
const FULL = 1;
const LAST = 4;

/** Bytes from `start` to `end` that cannot be read: LevelDB skips to the end of the block. */
export interface BadRange {
  start: number;
  end: number;
}

export interface LogCheck {
  bad: BadRange[];
  /** The file ends within a record: what a crash leaves, or a file that was cut off. */
  torn: boolean;
}

/**
 * Finds what cannot be read in a file of this format. LevelDB finds it too, but it skips such records of a `.log` without
 * a word and then deletes the file; whoever wants to know, or to keep the file, must look before.
 */
export function checkRecordLog(bytes: Buffer): LogCheck {
  const bad: BadRange[] = [];
  let within = false;
  let torn = false;
  for (let block = 0; block < bytes.length; block += BLOCK) {
    const end = Math.min(block + BLOCK, bytes.length);
    let at = block;
    while (at + HEADER <= end) {
      const next = recordEnd(bytes, at, end);
      if (next === 'zeros') break;
      if (next === 'beyond' && end < block + BLOCK && !hasRecordAfter(bytes, at + 1, end)) break;
      if (typeof next === 'string') {
        bad.push({ start: at, end });
        break;
      }
      const type = bytes.readUInt8(at + 6);
      within = type !== FULL && type !== LAST;
      at = next;
    }
    torn = end < block + BLOCK && at < end;
  }
  return { bad, torn: torn || within };
}

/** Makes LevelDB skip the bad ranges: it takes zeros for space that was set aside and never written. */
export function blankOut(bytes: Buffer, bad: readonly BadRange[]): Buffer {
  const blanked = Buffer.from(bytes);
  for (const { start, end } of bad) blanked.fill(0, start, end);
  return blanked;
}

/** Where the record at `at` ends, or why it cannot be told. */
function recordEnd(bytes: Buffer, at: number, end: number): number | 'zeros' | 'beyond' | 'damaged' {
  const length = bytes.readUInt16LE(at + 4);
  const type = bytes.readUInt8(at + 6);
  if (type === 0 && length === 0) return 'zeros';
  const next = at + HEADER + length;
  if (next > end) return 'beyond';
  return unmask(bytes.readUInt32LE(at)) === crc32c(bytes, at + 6, next) ? next : 'damaged';
}

/** A whole record after one whose length points beyond the file: then it is the length that is wrong. */
function hasRecordAfter(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at + HEADER <= end; at++) {
    const type = bytes.readUInt8(at + 6);
    if (type >= FULL && type <= LAST && typeof recordEnd(bytes, at, end) === 'number') return true;
  }
  return false;
}

/** LevelDB stores checksums rotated and shifted, so that a checksum of data with checksums in it stays a good one. */
function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
