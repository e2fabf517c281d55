import type { Share } from './ledger';

/**
 * What became of the points of a queue. At any moment
 * `accepted + recovered = written + refused + dropped + damaged + queuedPoints`.
 * Apart from what is queued, the numbers count from when the queue was opened.
 */
export interface QueueTotals extends Counters {
  /** In the store now. */
  queuedPoints: number;
  /** Size of their lines. */
  queuedBytes: number;
}

export interface Counters {
  /** Handed in, neither stored nor failed yet. */
  accepting: number;
  /** Stored. */
  accepted: number;
  /** Could not be stored; whoever handed them in was told so. */
  failed: number;
  /** Found in the store when it was opened. */
  recovered: number;
  /** Taken off the queue because they are in InfluxDB. */
  written: number;
  /** Taken off the queue because InfluxDB can never hold them. */
  refused: number;
  /** Gave way to newer ones when the queue was full. */
  dropped: number;
  /** Lost to a damaged file. */
  damaged: number;
}

/** The counters of a queue, by origin: the node that has accepted the points. */
export class Accounts {
  readonly #origins = new Map<string, Counters>();

  of(origin: string): Counters {
    let counters = this.#origins.get(origin);
    if (counters === undefined) {
      counters = newCounters();
      this.#origins.set(origin, counters);
    }
    return counters;
  }

  origins(): string[] {
    return [...this.#origins.keys()];
  }

  /**
   * @param lanes - by what each origin has in them
   * @param only - an origin; without it the sum of all.
   */
  totals(lanes: Iterable<{ readonly shares: ReadonlyMap<string, Share> }>, only?: string): QueueTotals {
    const sum = newTotals();
    for (const [origin, counters] of this.#origins) if (only === undefined || origin === only) addTotals(sum, counters);
    for (const lane of lanes) {
      for (const [origin, { points, bytes }] of lane.shares) {
        if (only === undefined || origin === only) addTotals(sum, { queuedPoints: points, queuedBytes: bytes });
      }
    }
    return sum;
  }
}

export function newTotals(): QueueTotals {
  return { ...newCounters(), queuedPoints: 0, queuedBytes: 0 };
}

/** Adds `more` to `sum`. */
export function addTotals(sum: QueueTotals, more: Partial<QueueTotals>): void {
  for (const name of Object.keys(sum) as (keyof QueueTotals)[]) sum[name] += more[name] ?? 0;
}

function newCounters(): Counters {
  return { accepting: 0, accepted: 0, failed: 0, recovered: 0, written: 0, refused: 0, dropped: 0, damaged: 0 };
}
