import { decodePacket } from '../mqtt/packet-record';
import { brokerOf, outboxPrefix, outboxRange, prefixRange } from '../store/keys';
import { Store, type StoreOperation } from '../store/store';
import { systemClock } from './clock';
import { Journal } from './journal';
import { isFinal } from './record';
import { Users, type OutboxUser } from './users';

/**
 * The actions that were left at a broker which no node uses any more: each comes to its end without it, and its node,
 * which is at another broker now, hears of that. Those of nodes that are not there are kept for a day.
 */
export class LeftActions {
  /** Resolves when the store is no longer used. Nothing is lost if it rejects. */
  readonly ended: Promise<void>;
  /** Nothing is left to be told, or it may not be any more. */
  readonly #over: Promise<void>;
  #end: () => void = () => undefined;

  /**
   * @param users - by the ids of their nodes
   * @param before - resolves when nobody else uses what is stored for this broker
   */
  constructor(directory: string, broker: string, users: ReadonlyMap<string, OutboxUser>, before?: Promise<unknown>) {
    this.#over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.ended = Promise.resolve(before).then(() => this.#tell(directory, broker, users));
    this.ended.catch(() => undefined);
  }

  /** Stops; what has not been told is told the next time. */
  close(): Promise<void> {
    this.#end();
    return this.ended;
  }

  async #tell(directory: string, broker: string, users: ReadonlyMap<string, OutboxUser>): Promise<void> {
    const store = await Store.open(directory);
    try {
      const there = new Users(
        () => journal,
        () => this.#endIfTold(journal, there),
      );
      const listener = {
        stepTaken: there.tell.bind(there),
        due: () => undefined,
        failed: () => this.#end(),
      };
      const journal = await Journal.load(store, broker, listener, systemClock);
      for (const [node, user] of users) there.add(node, user);
      there.discardOrphans(systemClock.now());
      journal.abandon(there);
      this.#endIfTold(journal, there);
      await this.#over;
      journal.close();
      await removePackets(store, broker, journal);
    } finally {
      await store.close();
    }
  }

  #endIfTold(journal: Journal, users: Users): void {
    if (![...journal].some(({ record }) => users.has(record.node))) this.#end();
  }
}

/** Takes away the packets of actions that are over: the broker would be sent them if it were used again. */
async function removePackets(store: Store, broker: string, journal: Journal): Promise<void> {
  const open = new Set([...journal].filter(({ record }) => !isFinal(record)).map(({ record }) => record.id));
  const operations: StoreOperation[] = [];
  for await (const page of store.pages(prefixRange(outboxPrefix('packet', broker)))) {
    for (const [key, value] of page) {
      const message = decodePacket(value)?.message;
      if (message === undefined || !open.has(message)) operations.push({ type: 'del', key });
    }
  }
  await store.batch(operations, { sync: true });
}

/**
 * The brokers for which something is stored.
 *
 * @throws PackError `store-unavailable`
 */
export async function brokersWithActions(directory: string): Promise<string[]> {
  const store = await Store.open(directory);
  try {
    const brokers = new Set<string>();
    for (const sort of ['action', 'packet'] as const) {
      for await (const page of store.pages(outboxRange(sort))) for (const [key] of page) brokers.add(brokerOf(key));
    }
    return [...brokers];
  } finally {
    await store.close();
  }
}
