import { brokersWithActions, LeftActions } from '../lib/action/left-actions';
import { Outbox, type OutboxOptions } from '../lib/action/outbox';
import type { OutboxUser } from '../lib/action/users';

interface Shared {
  outbox: Outbox;
  users: number;
}

/** By broker: all nodes of a broker share its session. */
const shared = new Map<string, Shared>();
/** Of the last outbox of a broker, until it has let go of the store. */
const closing = new Map<string, Promise<void>>();
/** By node: all that have been attached. */
const attached = new Map<string, OutboxUser>();
/** By broker: what was left where no node is any more, while its nodes are told. */
const left = new Map<string, LeftActions>();
/** What was left is about to be looked at. */
let isLookDue = false;

/** The outbox of a broker; give it back with {@link releaseOutbox}. */
export function outboxOf(options: OutboxOptions): Outbox {
  const { broker } = options;
  let entry = shared.get(broker);
  if (!entry) {
    const before = Promise.allSettled([closing.get(broker), left.get(broker)?.close()]);
    entry = { outbox: new Outbox(options, before), users: 0 };
    shared.set(broker, entry);
  }
  entry.users++;
  return entry.outbox;
}

/**
 * All nodes are there: from now on this one hears of its actions, at its broker and at any that it had before.
 *
 * @param directory - of the store
 */
export function attachUser(directory: string, broker: string, node: string, user: OutboxUser): void {
  attached.set(node, user);
  for (const [id, { outbox }] of shared) {
    if (id === broker) outbox.attach(node, user);
    else outbox.attachFormer(node, user);
  }
  if (isLookDue) return;
  isLookDue = true;
  setImmediate(() => {
    isLookDue = false;
    // What the store does not give now is looked for after the next deploy or start.
    lookAtLeft(directory).catch(() => undefined);
  });
}

/** Not while its node is being told already. */
async function lookAtLeft(directory: string): Promise<void> {
  for (const broker of await brokersWithActions(directory)) {
    if (shared.has(broker) || left.has(broker)) continue;
    const actions = new LeftActions(directory, broker, attached, closing.get(broker));
    left.set(broker, actions);
    void actions.ended.finally(() => left.delete(broker)).catch(() => undefined);
  }
}

/** Hears of nothing any more. Closes the outbox when nobody uses it. */
export async function releaseOutbox(broker: string, node: string, isRemoved: boolean): Promise<void> {
  attached.delete(node);
  for (const { outbox } of shared.values()) outbox.detach(node, isRemoved);
  await Promise.allSettled([...left.values()].map((actions) => actions.close()));
  const entry = shared.get(broker);
  if (!entry || --entry.users > 0) return;
  shared.delete(broker);
  const closed = entry.outbox.close();
  closing.set(broker, closed);
  await closed;
  if (closing.get(broker) === closed) closing.delete(broker);
}
