import { Delivery, type DeliveryUser } from './delivery';

interface Shared {
  readonly delivery: Delivery;
  /** While it is being closed. */
  closing?: Promise<void>;
}

/** The deliveries of this process, by store and place: a queue can be open once. */
const shared = new Map<string, Shared>();

/** The part of one node in the delivery of its place. */
export interface DeliveryUse {
  readonly delivery: Delivery;
  /** Lets go of it, and of the node's connection; the last one closes the delivery. */
  leave(): Promise<void>;
}

/**
 * The delivery of a place, which all nodes of the place share. A node that comes while it is being closed waits with its
 * points until it is, and takes the queue over.
 */
export function useDelivery(directory: string, place: string, user: DeliveryUser): DeliveryUse {
  const key = JSON.stringify([directory, place]);
  let entry = shared.get(key);
  if (entry === undefined || entry.closing !== undefined) {
    const after = entry?.closing;
    entry = { delivery: new Delivery({ directory, place, ...(after && { after }) }, user) };
    shared.set(key, entry);
  } else {
    entry.delivery.enter(user);
  }
  const used = entry;
  return {
    delivery: used.delivery,
    leave: async () => {
      used.delivery.leave(user);
      if (!used.delivery.isUsed) {
        used.closing = used.delivery.close().finally(() => {
          if (shared.get(key) === used) shared.delete(key);
        });
      }
      await used.closing;
      user.connection.close();
    },
  };
}

/** All deliveries that are used. */
export function deliveriesInUse(): Delivery[] {
  return Array.from(shared.values(), ({ delivery }) => delivery).filter(({ isUsed }) => isUsed);
}
