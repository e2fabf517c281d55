import { crc32c, mask } from './crc32c';
import { uncompress } from './snappy';
import { readVarint, varint } from './varint';

/**
 * LevelDB's table format (its `doc/table_format.md`), which its `.ldb` files have: blocks of data, in the order of their
 * keys; a filter and its directory; an index of the blocks; a footer. Each block ends in its compression (1 byte) and the
 * checksum of both (4). Keys are followed by sequence and sort in 8 bytes. Whoever reads a table must check this before
 * LevelDB does anything with it: it checks nothing when it reads, and can end the process when it repairs.
 */
const FOOTER = 48;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
const TRAILER = 5;
/** A block without entries: one restart point, at 0. */
const EMPTY_BLOCK = Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]);

interface Handle {
  offset: number;
  size: number;
}

interface Entry {
  key: Buffer;
  value: Buffer;
}

/** A block of data whose checksum is right, and the first and the last of its keys. */
interface DataBlock extends Handle {
  first: Buffer;
  last: Buffer;
}

/** Whether every checksum of a table is right. */
export function isGoodTable(bytes: Buffer): boolean {
  const footer = readFooter(bytes);
  if (footer === undefined || !isGoodBlock(bytes, footer.directory)) return false;
  const index = readBlock(bytes, footer.index);
  if (index === undefined) return false;
  for (const { value } of index) if (!isGoodBlock(bytes, readHandle(value, 0)?.handle)) return false;
  for (const { value } of readBlock(bytes, footer.directory) ?? [])
    if (!isGoodBlock(bytes, readHandle(value, 0)?.handle)) return false;
  return true;
}

/** A table that holds all good blocks of a damaged one; undefined when there are none. */
export function salvageTable(bytes: Buffer): { table: Buffer; smallest: Buffer; largest: Buffer } | undefined {
  const blocks = goodBlocks(bytes);
  const [first] = blocks;
  const last = blocks.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const parts: Buffer[] = [];
  const index: Entry[] = [];
  let offset = 0;
  const add = (part: Buffer): Handle => {
    const handle = { offset, size: part.length - TRAILER };
    parts.push(part);
    offset += part.length;
    return handle;
  };
  for (const block of blocks) {
    const { size } = block;
    const handle = add(bytes.subarray(block.offset, block.offset + size + TRAILER));
    index.push({ key: block.last, value: encodeHandle(handle) });
  }
  const directory = add(withTrailer(EMPTY_BLOCK));
  const indexHandle = add(withTrailer(encodeBlock(index)));
  const handles = Buffer.concat([encodeHandle(directory), encodeHandle(indexHandle)]);
  parts.push(handles, Buffer.alloc(FOOTER - MAGIC.length - handles.length), MAGIC);
  return { table: Buffer.concat(parts), smallest: first.first, largest: last.last };
}

function goodBlocks(bytes: Buffer): DataBlock[] {
  const footer = readFooter(bytes);
  const index = footer && readBlock(bytes, footer.index);
  const handles = index?.map(({ value }) => readHandle(value, 0)?.handle) ?? scanForBlocks(bytes);
  const found = new Set(handles.map((handle) => handle?.offset));
  const blocks: DataBlock[] = [];
  for (const handle of handles) {
    const entries = handle && readBlock(bytes, handle);
    const first = entries?.[0]?.key;
    const last = entries?.at(-1)?.key;
    if (handle === undefined || entries === undefined || first === undefined || last === undefined) continue;
    // Without the index that, filter and directory are found among the data.
    if (index === undefined && entries.every(({ value }) => found.has(readHandle(value, 0)?.handle.offset))) continue;
    const before = blocks.at(-1)?.last;
    if (!areInOrder(entries) || (before !== undefined && compareKeys(before, first) >= 0)) continue;
    blocks.push({ ...handle, first, last });
  }
  return blocks;
}

/** Blocks from the beginning on, found by their checksums; what follows a damaged one is not found. */
function scanForBlocks(bytes: Buffer): Handle[] {
  const handles: Handle[] = [];
  for (let start = 0; start + TRAILER <= bytes.length;) {
    const size = sizeOfBlock(bytes, start);
    if (size === undefined) break;
    handles.push({ offset: start, size });
    start += size + TRAILER;
  }
  return handles;
}

/** How long the block is that begins here: its checksum fits there. */
function sizeOfBlock(bytes: Buffer, start: number): number | undefined {
  let checksum = 0;
  for (let end = start; end + TRAILER <= bytes.length; end++) {
    checksum = crc32c(bytes, end, end + 1, checksum);
    if ((bytes[end] ?? 2) <= 1 && mask(checksum) === bytes.readUInt32LE(end + 1) && end > start) return end - start;
  }
  return undefined;
}

function areInOrder(entries: readonly Entry[]): boolean {
  return entries.every(({ key }, index) => {
    const before = entries[index - 1]?.key;
    return key.length >= 8 && (key[key.length - 8] ?? 2) <= 1 && (before === undefined || compareKeys(before, key) < 0);
  });
}

/** By key, and of one key the newest first. */
export function compareKeys(one: Buffer, other: Buffer): number {
  const byKey = Buffer.compare(one.subarray(0, -8), other.subarray(0, -8));
  if (byKey !== 0) return byKey;
  const [mine, theirs] = [one, other].map((key) => key.readBigUInt64LE(key.length - 8)) as [bigint, bigint];
  return mine > theirs ? -1 : mine < theirs ? 1 : 0;
}

function readFooter(bytes: Buffer): { directory: Handle; index: Handle } | undefined {
  if (bytes.length < FOOTER || !bytes.subarray(-MAGIC.length).equals(MAGIC)) return undefined;
  const footer = bytes.subarray(-FOOTER);
  const directory = readHandle(footer, 0);
  const index = directory && readHandle(footer, directory.end);
  if (directory === undefined || index === undefined) return undefined;
  // Nothing else covers what is between the handles and the magic number; it is never used.
  return { directory: directory.handle, index: index.handle };
}

function readHandle(bytes: Buffer, start: number): { handle: Handle; end: number } | undefined {
  const offset = readVarint(bytes, start);
  const size = offset && readVarint(bytes, offset.end);
  return offset && size && { handle: { offset: offset.value, size: size.value }, end: size.end };
}

function encodeHandle({ offset, size }: Handle): Buffer {
  return Buffer.concat([varint(offset), varint(size)]);
}

function isGoodBlock(bytes: Buffer, handle: Handle | undefined): handle is Handle {
  if (handle === undefined) return false;
  const end = handle.offset + handle.size;
  if (end + TRAILER > bytes.length) return false;
  return mask(crc32c(bytes, handle.offset, end + 1)) === bytes.readUInt32LE(end + 1);
}

/** The entries of a block; undefined when it is damaged. */
function readBlock(bytes: Buffer, handle: Handle): Entry[] | undefined {
  if (!isGoodBlock(bytes, handle)) return undefined;
  const end = handle.offset + handle.size;
  const stored = bytes.subarray(handle.offset, end);
  const block = bytes[end] === 0 ? stored : bytes[end] === 1 ? uncompress(stored) : undefined;
  if (block === undefined || block.length < 4) return undefined;
  const entriesEnd = block.length - 4 - 4 * block.readUInt32LE(block.length - 4);
  const entries: Entry[] = [];
  let before = Buffer.alloc(0);
  for (let at = 0; at < entriesEnd;) {
    const [shared, unshared, length] = readThree(block, at);
    if (shared === undefined || unshared === undefined || length === undefined) return undefined;
    const valueStart = length.end + unshared.value;
    at = valueStart + length.value;
    if (at > entriesEnd || shared.value > before.length) return undefined;
    before = Buffer.concat([before.subarray(0, shared.value), block.subarray(length.end, valueStart)]);
    entries.push({ key: before, value: block.subarray(valueStart, at) });
  }
  return entries;
}

function readThree(bytes: Buffer, start: number): ReturnType<typeof readVarint>[] {
  const first = readVarint(bytes, start);
  const second = first && readVarint(bytes, first.end);
  return [first, second, second && readVarint(bytes, second.end)];
}

/** Every entry is a restart point, so that none needs another one. */
function encodeBlock(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const restarts = Buffer.alloc(4 * entries.length + 4);
  let at = 0;
  entries.forEach(({ key, value }, index) => {
    restarts.writeUInt32LE(at, 4 * index);
    const part = Buffer.concat([varint(0), varint(key.length), varint(value.length), key, value]);
    parts.push(part);
    at += part.length;
  });
  restarts.writeUInt32LE(entries.length, 4 * entries.length);
  return Buffer.concat([...parts, restarts]);
}

function withTrailer(block: Buffer): Buffer {
  const trailer = Buffer.alloc(TRAILER);
  trailer.writeUInt32LE(mask(crc32c(Buffer.concat([block, trailer.subarray(0, 1)]))), 1);
  return Buffer.concat([block, trailer]);
}
