/** The reflected Castagnoli polynomial: LevelDB checks its own records with it, so one routine serves both. */
const POLYNOMIAL = 0x82f63b78;

/** Slicing by eight: table k holds the effect of a byte that is k places further on. */
const TABLES = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    tables[byte] = crc;
  }
  for (let index = 256; index < tables.length; index++) {
    const previous = tables[index - 256] as number;
    tables[index] = (previous >>> 8) ^ (tables[previous & 255] as number);
  }
  return tables;
}

/**
 * CRC-32C of `bytes` from `start` to `end`, as an unsigned number.
 *
 * @param seed - the checksum of what comes before, to go on from there.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = TABLES;
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      (table[1792 + (low & 255)] as number) ^
      (table[1536 + ((low >>> 8) & 255)] as number) ^
      (table[1280 + ((low >>> 16) & 255)] as number) ^
      (table[1024 + (low >>> 24)] as number) ^
      (table[768 + (high & 255)] as number) ^
      (table[512 + ((high >>> 8) & 255)] as number) ^
      (table[256 + ((high >>> 16) & 255)] as number) ^
      (table[high >>> 24] as number);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (table[(crc ^ view.getUint8(at)) & 255] as number);
  return ~crc >>> 0;
}

/** LevelDB stores checksums rotated and shifted, so that a checksum of data with checksums in it stays a good one. */
export function mask(checksum: number): number {
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}
