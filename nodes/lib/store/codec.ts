import { crc32c } from './crc32c';

/**
 * The one form of everything that lies in the store, numbers little-endian:
 *
 * | offset | bytes | what |
 * | --- | --- | --- |
 * | 0 | 4 | CRC-32C of the key and of all bytes after this field |
 * | 4 | 1 | version of the body's layout |
 * | 5 | … | the body |
 *
 * The key is in the checksum, so that a record which turns up under a damaged key is not taken for another one's.
 */
export const BODY = 5;

/** The layout of every body that this release writes. */
const VERSION = 1;
const CHECKED_FROM = 4;

/** Why a record cannot be read. `later-release`: it is whole, but its layout is one that this release does not know. */
export type RecordFault = 'damaged' | 'later-release';

/** The record to store under a key. */
export function seal(key: string, body: Buffer): Buffer {
  const record = Buffer.allocUnsafe(BODY + body.length);
  body.copy(record, BODY);
  return sealInPlace(key, record);
}

/** Completes a record whose body, from {@link BODY} on, is already there. */
export function sealInPlace(key: string, record: Buffer): Buffer {
  record.writeUInt8(VERSION, CHECKED_FROM);
  record.writeUInt32LE(checksum(key, record), 0);
  return record;
}

/** The body of the record that was found under a key, or why it cannot be read. Never throws. */
export function unseal(key: string, record: Buffer): Buffer | RecordFault {
  if (record.length < BODY || record.readUInt32LE(0) !== checksum(key, record)) return 'damaged';
  return record.readUInt8(CHECKED_FROM) > VERSION ? 'later-release' : record.subarray(BODY);
}

function checksum(key: string, record: Buffer): number {
  return crc32c(record, CHECKED_FROM, record.length, crc32c(Buffer.from(key)));
}
