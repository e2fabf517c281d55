import { existsSync } from 'node:fs';
import type { NodeAPI } from 'node-red';
import { markRanges } from '../lib/aggregate/move-marks';
import { removeQueue, removeRanges, withClaim } from '../lib/store/move-queue';
import { Store } from '../lib/store/store';
import { storeDirectory } from '../lib/runtime/store-directory';
import { forgetTotals } from './carried-totals';
import { deliveriesInUse } from './deliveries';

/** Queues with points whose place no `influx-server` node has any more: nobody writes them. */
export class UnownedQueues {
  readonly #directory: string;
  #points: ReadonlyMap<string, number> = new Map<string, number>();

  /** @param directory - of the store */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** By place, or by the id of a node in a store of an early release, as they were looked at last. */
  get points(): ReadonlyMap<string, number> {
    return this.#points;
  }

  /**
   * Looks for them.
   *
   * @throws PackError `store-unavailable`
   */
  async look(): Promise<ReadonlyMap<string, number>> {
    if (!existsSync(this.#directory)) return this.#points;
    const store = await Store.open(this.#directory);
    try {
      // Queues that have the id of a node are about to be taken over by it.
      const owned = deliveriesInUse().flatMap((delivery) => [delivery.place, ...delivery.servers]);
      const found = [...(await store.orphans(owned))].filter(([, points]) => points > 0);
      this.#points = new Map(found);
    } finally {
      await store.close();
    }
    return this.#points;
  }

  /**
   * Removes one for good, with its points and the windows that are marked beside it.
   *
   * @returns the number of points
   * @throws PackError `store-unavailable`, also when a node has the place now
   */
  async discard(queue: string): Promise<number> {
    const store = await Store.open(this.#directory);
    try {
      const { points } = await withClaim(store, queue, async () => {
        const removed = await removeQueue(store, queue);
        await removeRanges(store, markRanges(queue));
        return removed;
      });
      forgetTotals(queue);
      return points;
    } finally {
      await store.close();
      await this.look();
    }
  }
}

const queues = new WeakMap<NodeAPI['events'], UnownedQueues>();

/** Those of this Node-RED. */
export function unownedQueues(RED: NodeAPI): UnownedQueues {
  const known = queues.get(RED.events) ?? new UnownedQueues(storeDirectory(RED));
  queues.set(RED.events, known);
  return known;
}
