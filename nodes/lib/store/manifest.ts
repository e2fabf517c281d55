import { readRecords, writeRecord } from './record-log';
import { readVarint, varint } from './varint';

/** A table that belongs to a store, as its MANIFEST says. */
export interface TableEntry {
  level: number;
  number: number;
  size: number;
  smallest: Buffer;
  largest: Buffer;
}

/** Which files make a store up: what its MANIFEST says, a list of changes (LevelDB's `version_edit.cc`). */
export interface Version {
  comparator: Buffer;
  /** Logs with lower numbers are in the tables. */
  log: number;
  /** A log that is still being put into a table; 0: none. */
  previousLog: number;
  /** No file has this number or a higher one. */
  next: number;
  lastSequence: number;
  tables: Map<number, TableEntry>;
}

const COMPARATOR = 1;
const LOG = 2;
const NEXT = 3;
const LAST_SEQUENCE = 4;
const COMPACT_POINTER = 5;
const DELETED = 6;
const NEW = 7;
const PREVIOUS_LOG = 9;

/** What a MANIFEST says as far as it can be read; undefined when that makes no version. */
export function readManifest(bytes: Buffer): Version | undefined {
  const version: Version = {
    comparator: Buffer.alloc(0),
    log: 0,
    previousLog: 0,
    next: 0,
    lastSequence: 0,
    tables: new Map(),
  };
  for (const record of readRecords(bytes)) if (!apply(record, version)) return undefined;
  return version.comparator.length > 0 && version.next > 0 ? version : undefined;
}

/** A MANIFEST that says only this. */
export function writeManifest(version: Version): Buffer {
  const parts = [
    ...[varint(COMPARATOR), withLength(version.comparator), varint(LOG), varint(version.log)],
    ...[varint(PREVIOUS_LOG), varint(version.previousLog), varint(NEXT), varint(version.next)],
    ...[varint(LAST_SEQUENCE), varint(version.lastSequence)],
  ];
  for (const { level, number, size, smallest, largest } of version.tables.values()) {
    parts.push(...[NEW, level, number, size].map(varint), withLength(smallest), withLength(largest));
  }
  return writeRecord(Buffer.concat(parts));
}

function withLength(bytes: Buffer): Buffer {
  return Buffer.concat([varint(bytes.length), bytes]);
}

/** Applies a change; false when it is none. */
function apply(record: Buffer, version: Version): boolean {
  let at = 0;
  let isReadable = true;
  const number = (): number => {
    const read = readVarint(record, at);
    if (read === undefined) isReadable = false;
    at = read?.end ?? record.length;
    return read?.value ?? 0;
  };
  const bytes = (): Buffer => {
    const length = number();
    if (at + length > record.length) isReadable = false;
    const read = record.subarray(at, at + length);
    at += length;
    return read;
  };
  while (at < record.length && isReadable) {
    switch (number()) {
      case COMPARATOR:
        version.comparator = bytes();
        break;
      case LOG:
        version.log = number();
        break;
      case PREVIOUS_LOG:
        version.previousLog = number();
        break;
      case NEXT:
        version.next = number();
        break;
      case LAST_SEQUENCE:
        version.lastSequence = number();
        break;
      case COMPACT_POINTER:
        number();
        bytes();
        break;
      case DELETED:
        number();
        version.tables.delete(number());
        break;
      case NEW: {
        const [level, file, size] = [number(), number(), number()];
        version.tables.set(file, { level, number: file, size, smallest: bytes(), largest: bytes() });
        break;
      }
      default:
        isReadable = false;
    }
  }
  return isReadable;
}
