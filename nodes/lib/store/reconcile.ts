import type { FoundLane } from './found-lanes';
import type { ChunkHead, Lane } from './lane';
import { adjustShare, type Ledger } from './ledger';
import type { Accounts } from './totals';

/** Why a chunk that somebody holds was to leave the store by a batch that failed. */
export type Departure = { refused: number } | 'dropped' | 'discarded';

export interface Reopening {
  accounts: Accounts;
  /** The queue was not open before. */
  first: boolean;
  /** Held chunks that are not in the store any more. */
  gone: ReadonlySet<ChunkHead>;
  departures: ReadonlyMap<ChunkHead, Departure>;
}

/**
 * Brings a lane in line with what is in the store after it was opened (again), and the counters too. A batch that failed
 * may have been applied all the same, or not; and a repair may have lost chunks, or brought removed ones back.
 *
 * @returns points that were lost.
 */
export function reconcile(lane: Lane, found: FoundLane | undefined, reopening: Reopening): number {
  const { accounts, first, gone, departures } = reopening;
  const ledger: Ledger = found?.ledger ?? { head: lane.next, next: lane.next, shares: new Map() };
  for (const chunk of [...lane.held.values()]) {
    const departure = departures.get(chunk);
    if (departure !== undefined && gone.has(chunk)) {
      // Its batch was applied after all.
      countDeparture(accounts, chunk, departure);
      adjustShare(lane.shares, chunk, -1);
      lane.held.delete(chunk.sequence);
    } else if (departure === 'dropped') {
      lane.held.delete(chunk.sequence); // it is as before, and waits
    } else if (gone.has(chunk)) {
      // A repair has lost it, but its holder has the lines and is about to write them: it counts until they are.
      adjustShare(ledger.shares, chunk, 1);
    }
  }
  let lost = 0;
  for (const origin of new Set([...lane.shares.keys(), ...ledger.shares.keys(), ...(found?.lost.keys() ?? [])])) {
    const counters = accounts.of(origin);
    const now = ledger.shares.get(origin)?.points ?? 0;
    const missing = first ? (found?.lost.get(origin) ?? 0) : (lane.shares.get(origin)?.points ?? 0) - now;
    if (first) counters.recovered += now + missing;
    else if (missing < 0) counters.recovered -= missing;
    if (missing <= 0) continue;
    counters.damaged += missing;
    lost += missing;
  }
  lane.load(ledger);
  return lost;
}

/** A chunk has left the store. */
export function countDeparture(accounts: Accounts, chunk: ChunkHead, departure: Departure): void {
  const counters = accounts.of(chunk.origin);
  if (typeof departure === 'string') {
    counters.dropped += chunk.points;
    return;
  }
  counters.refused += departure.refused;
  counters.written += chunk.points - departure.refused;
}
