import { parseJson } from './json';

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

export function encodeLedger({ head, next, shares }: Ledger): Buffer {
  const origins = Array.from(shares, ([origin, { chunks, points, bytes }]) => [origin, chunks, points, bytes]);
  return Buffer.from(JSON.stringify({ head, next, origins }));
}

/** Undefined for what no release has written. */
export function decodeLedger(body: Buffer): Ledger | undefined {
  const ledger = parseJson(body) as Partial<Record<'head' | 'next' | 'origins', unknown>> | null | undefined;
  const { head, next, origins } = ledger ?? {};
  if (!isCount(head) || !isCount(next) || !Array.isArray(origins)) return undefined;
  const shares = new Map<string, Share>();
  for (const entry of origins as unknown[]) {
    if (!Array.isArray(entry)) return undefined;
    const [origin, chunks, points, bytes] = entry as unknown[];
    if (typeof origin !== 'string' || !isCount(chunks) || !isCount(points) || !isCount(bytes)) return undefined;
    shares.set(origin, { chunks, points, bytes });
  }
  return { head, next, shares };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
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
