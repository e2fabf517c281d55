import { crc32c } from './crc32c';

/** What one origin has in a lane. */
export interface Share {
  chunks: number;
  points: number;
  bytes: number;
}

/**
 * How much a lane holds. Every batch that adds chunks or takes some away writes the lane's ledger with them, so it is true
 * of exactly the chunks that are there, after any crash. Two things follow:
 *
 * - A queue opens by reading one small record a lane, whatever the number of its chunks.
 * - Chunks that vanish otherwise, by a damaged file, leave a difference: the count of the points that were lost.
 */
export interface Ledger {
  /** No chunk has a lower sequence: where reading begins, past the marks that LevelDB keeps of removed keys. */
  head: number;
  /** The sequence of the lane's next chunk. */
  next: number;
  /** By origin. */
  shares: Map<string, Share>;
}

/** Text: eight hexadecimal digits of CRC-32C over the key and the JSON that follows. */
export function encodeLedger(key: string, { head, next, shares }: Ledger): Buffer {
  const origins = Array.from(shares, ([origin, { chunks, points, bytes }]) => [origin, chunks, points, bytes]);
  const body = Buffer.from(JSON.stringify({ head, next, origins }));
  return Buffer.concat([Buffer.from(checksum(key, body)), body]);
}

/** Undefined when the record is damaged. */
export function decodeLedger(key: string, value: Buffer): Ledger | undefined {
  const body = value.subarray(8);
  if (value.toString('latin1', 0, 8) !== checksum(key, body)) return undefined;
  // Written by encodeLedger: the checksum is right.
  const { head, next, origins } = JSON.parse(body.toString()) as {
    head: number;
    next: number;
    origins: [string, number, number, number][];
  };
  const shares = new Map(origins.map(([origin, chunks, points, bytes]) => [origin, { chunks, points, bytes }]));
  return { head, next, shares };
}

function checksum(key: string, body: Buffer): string {
  return crc32c(body, 0, body.length, crc32c(Buffer.from(key)))
    .toString(16)
    .padStart(8, '0');
}

/** Adds `sign` times the chunk to its origin's share; a share that has become empty is left out. */
export function adjustShare(
  shares: Map<string, Share>,
  chunk: { origin: string; points: number; bytes: number },
  sign: 1 | -1,
): void {
  const share = shares.get(chunk.origin) ?? { chunks: 0, points: 0, bytes: 0 };
  const chunks = share.chunks + sign;
  if (chunks === 0) {
    shares.delete(chunk.origin);
    return;
  }
  shares.set(chunk.origin, {
    chunks,
    points: share.points + sign * chunk.points,
    bytes: share.bytes + sign * chunk.bytes,
  });
}
