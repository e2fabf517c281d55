import { Outbox, type OutboxOptions } from '../lib/action/outbox';

interface Shared {
  outbox: Outbox;
  users: number;
}

/** By broker: all nodes of a broker share its session. */
const shared = new Map<string, Shared>();
/** Of the last outbox of a broker, until it has let go of the store. */
const closing = new Map<string, Promise<void>>();

/** The outbox of a broker; give it back with {@link releaseOutbox}. */
export function outboxOf(options: OutboxOptions): Outbox {
  const { broker } = options;
  let entry = shared.get(broker);
  if (!entry) {
    entry = { outbox: new Outbox(options, closing.get(broker)), users: 0 };
    shared.set(broker, entry);
  }
  entry.users++;
  return entry.outbox;
}

/** Closes it when nobody uses it any more. */
export async function releaseOutbox(broker: string): Promise<void> {
  const entry = shared.get(broker);
  if (!entry || --entry.users > 0) return;
  shared.delete(broker);
  const closed = entry.outbox.close();
  closing.set(broker, closed);
  await closed;
  if (closing.get(broker) === closed) closing.delete(broker);
}
