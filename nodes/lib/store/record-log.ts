import { crc32c, mask } from './crc32c';

/**
 * LevelDB's log format (its `doc/log_format.md`), which its `.log` and `MANIFEST` files have: blocks of 32 KiB that hold
 * records of checksum (4 bytes), length (2), type (1) and data.
 */
const BLOCK = 32_768;
const HEADER = 7;
const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;
/** Fewer zeros at the end of a file are a record's own. */
const LEAST_ZEROS = 16;

/** Bytes from `start` to `end` that cannot be read: LevelDB skips to the end of the block. */
export interface BadRange {
  start: number;
  end: number;
}

export interface LogCheck {
  bad: BadRange[];
  /** The file ends within a record, or in zeros: what a crash leaves, or a file that was cut off or overwritten. */
  torn: boolean;
}

/**
 * Finds what cannot be read in a file of this format. LevelDB finds it too, but it skips such records of a `.log` without
 * a word and then deletes the file; whoever wants to know, or to keep the file, must look before.
 */
export function checkRecordLog(bytes: Buffer): LogCheck {
  const bad: BadRange[] = [];
  const zerosFrom = startOfZeros(bytes);
  let within = false;
  /** Where what can be read ends, or is known to be bad. */
  let reached = 0;
  for (let block = 0; block < zerosFrom; block += BLOCK) {
    const end = Math.min(block + BLOCK, bytes.length);
    reached = block;
    while (reached + HEADER <= end && reached < zerosFrom) {
      const next = recordEnd(bytes, reached, end);
      if (typeof next === 'number') {
        const type = bytes.readUInt8(reached + 6);
        within = type !== FULL && type !== LAST;
        reached = next;
        continue;
      }
      const isLastBlock = end < block + BLOCK;
      if (next === 'beyond' && isLastBlock && !hasRecordAfter(bytes, reached + 1, end)) break;
      if (isTornAt(bytes, reached, end, zerosFrom)) break;
      bad.push({ start: reached, end });
      reached = end;
      within = false;
    }
  }
  const isPadding = bytes.length % BLOCK === 0 && bytes.length - reached < HEADER;
  return { bad, torn: within || (reached < bytes.length && !isPadding) };
}

/** Where the zeros begin that the file ends in: space that was set aside and never written, but for the last record's own. */
function startOfZeros(bytes: Buffer): number {
  let at = bytes.length;
  while (at > 0 && bytes[at - 1] === 0) at--;
  return at;
}

/** Whether the record at `at` is the last one, and goes over into the zeros that the file ends in. */
function isTornAt(bytes: Buffer, at: number, end: number, zerosFrom: number): boolean {
  if (zerosFrom > end || bytes.length - zerosFrom < LEAST_ZEROS) return false;
  return at + HEADER + bytes.readUInt16LE(at + 4) > zerosFrom && !hasRecordAfter(bytes, at + 1, end);
}

/** The data of the records up to the first that cannot be read: what LevelDB takes from a MANIFEST. */
export function readRecords(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  let parts: Buffer[] = [];
  for (let block = 0; block < bytes.length; block += BLOCK) {
    const end = Math.min(block + BLOCK, bytes.length);
    for (let at = block; at + HEADER <= end;) {
      const next = recordEnd(bytes, at, end);
      if (typeof next === 'string') return records;
      const type = bytes.readUInt8(at + 6);
      if (type === FULL || type === FIRST) parts = [];
      parts.push(bytes.subarray(at + HEADER, next));
      if (type === FULL || type === LAST) records.push(Buffer.concat(parts.splice(0)));
      at = next;
    }
  }
  return records;
}

/** A file that holds one record. */
export function writeRecord(data: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  do {
    const part = data.subarray(at, at + BLOCK - HEADER);
    const isFirst = at === 0;
    at += part.length;
    const isLast = at === data.length;
    const header = Buffer.alloc(HEADER);
    header.writeUInt16LE(part.length, 4);
    header.writeUInt8(isFirst ? (isLast ? FULL : FIRST) : isLast ? LAST : MIDDLE, 6);
    header.writeUInt32LE(mask(crc32c(Buffer.concat([header.subarray(6), part]))), 0);
    parts.push(header, part);
  } while (at < data.length);
  return Buffer.concat(parts);
}

/** Makes LevelDB skip the bad ranges: it takes zeros for space that was set aside and never written. */
export function blankOut(bytes: Buffer, bad: readonly BadRange[]): Buffer {
  const blanked = Buffer.from(bytes);
  for (const { start, end } of bad) blanked.fill(0, start, end);
  return blanked;
}

/** Where the record at `at` ends, or why it cannot be told. */
function recordEnd(bytes: Buffer, at: number, end: number): number | 'beyond' | 'damaged' {
  const length = bytes.readUInt16LE(at + 4);
  const type = bytes.readUInt8(at + 6);
  if (type < FULL || type > LAST) return 'damaged';
  const next = at + HEADER + length;
  if (next > end) return 'beyond';
  return bytes.readUInt32LE(at) === mask(crc32c(bytes, at + 6, next)) ? next : 'damaged';
}

/** A whole record after one whose length points beyond the file: then it is the length that is wrong. */
function hasRecordAfter(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at + HEADER <= end; at++) {
    const type = bytes.readUInt8(at + 6);
    if (type >= FULL && type <= LAST && typeof recordEnd(bytes, at, end) === 'number') return true;
  }
  return false;
}
