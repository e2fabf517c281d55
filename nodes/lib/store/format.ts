import { PackError } from '../errors';
import { asideKey } from './aside';
import { seal, unseal } from './codec';
import { crc32c } from './crc32c';
import { parseJson } from './json';
import { FORMAT_KEY, kindOf } from './keys';
import type { Level } from './level';

/**
 * What the store as a whole looks like: its keys, and which kinds of records there are. 1, which had no number yet, is of
 * release 0.1.0, where most records were bare text.
 */
const FORMAT = 2;

/** Records that are rewritten in one batch, and their bytes. */
const BATCH = 1000;
const BATCH_BYTES = 1024 * 1024;

/**
 * Sees to it that a store has the form that this release reads. An older one is brought into it a batch at a time; cut
 * anywhere, that goes on at the next start.
 *
 * @throws PackError `store-unavailable`: a later release has made it
 */
export async function ensureFormat(level: Level): Promise<void> {
  const record = await level.get(FORMAT_KEY);
  const body = record && unseal(FORMAT_KEY, record);
  if (body === 'later-release') throw laterRelease();
  // Without a number that can be read every record says itself which form it has.
  if (body === undefined || body === 'damaged') {
    await rewriteAll(level);
    return;
  }
  const format = Number(body.toString());
  if (format > FORMAT) throw laterRelease();
}

function laterRelease(): PackError {
  const reason = 'it was made by a later release of this pack. Install that release again, or choose another folder';
  return new PackError('store-unavailable', `The store cannot be used: ${reason}`);
}

type Operation = { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string };

async function rewriteAll(level: Level): Promise<void> {
  let operations: Operation[] = [];
  let bytes = 0;
  const write = async (): Promise<void> => {
    if (operations.length > 0) await level.batch(operations, { sync: true });
    operations = [];
    bytes = 0;
  };
  // Chunks have had this form from the beginning, and there may be gigabytes of them.
  for (const range of [{ lt: 'chunk/' }, { gte: 'chunk0' }]) {
    for await (const [key, value] of level.iterator({ ...range, highWaterMarkBytes: BATCH_BYTES })) {
      if (key === FORMAT_KEY || typeof unseal(key, value) !== 'string') continue;
      const body = bodyOf(key, value);
      if (body !== undefined) operations.push({ type: 'put', key, value: seal(key, body) });
      else
        operations.push({ type: 'del', key }, { type: 'put', key: asideKey(key), value: seal(asideKey(key), value) });
      bytes += value.length;
      if (operations.length >= BATCH || bytes >= BATCH_BYTES) await write();
    }
  }
  operations.push({ type: 'put', key: FORMAT_KEY, value: seal(FORMAT_KEY, Buffer.from(String(FORMAT))) });
  await write();
}

/** The body of a record of format 1; undefined when it cannot be one. */
function bodyOf(key: string, value: Buffer): Buffer | undefined {
  switch (kindOf(key)) {
    case 'lane': {
      // Text: eight hexadecimal digits of CRC-32C over the key and the JSON that follows.
      const body = value.subarray(8);
      const checksum = crc32c(body, 0, body.length, crc32c(Buffer.from(key)));
      return value.toString('latin1', 0, 8) === checksum.toString(16).padStart(8, '0') ? body : undefined;
    }
    case 'mark':
      return value.length === 0 ? value : undefined;
    case 'stretch':
      return /^-?\d+ -?\d+$/.test(value.toString()) ? value : undefined;
    case 'checked':
    case 'repaired':
      return Number.isNaN(Date.parse(value.toString())) ? undefined : value;
    case undefined:
      return undefined;
    default:
      return typeof parseJson(value) === 'object' ? value : undefined;
  }
}
