import { isFinal, type ActionRecord } from './record';

/**
 * Whose turn it is: of the actions of one topic, the oldest that is not over. A newer one that overtakes it, or an older one
 * that is sent again after it, would leave the device where nobody wants it.
 */
export class TopicOrder<Action extends { readonly record: ActionRecord }> {
  /** By topic, in the order in which they were created. Alarms do not wait for each other. */
  readonly #open = new Map<string, Set<Action>>();

  add(action: Action): void {
    const { kind, topic } = action.record;
    if (kind !== 'action') return;
    const open = this.#open.get(topic) ?? new Set();
    this.#open.set(topic, open.add(action));
  }

  /** It is over. Returns whose turn it is now, if it was this one's. */
  remove(action: Action): Action | undefined {
    const { topic } = action.record;
    const open = this.#open.get(topic);
    const wasFirst = first(open) === action;
    if (!open?.delete(action)) return undefined;
    if (open.size === 0) this.#open.delete(topic);
    return wasFirst ? first(open) : undefined;
  }

  isTurnOf(action: Action): boolean {
    return action.record.kind !== 'action' || first(this.#open.get(action.record.topic)) === action;
  }

  /** Those of a topic, the oldest first. */
  of(topic: string): readonly Action[] {
    return [...(this.#open.get(topic) ?? [])];
  }

  /** How many of a topic are not over. */
  sizeOf(topic: string): number {
    return this.#open.get(topic)?.size ?? 0;
  }

  /** Of each topic, those of which a newer one has been sent: a release that knew no order could leave that. */
  *overtaken(wasSent: (action: Action) => boolean): Generator<Action> {
    for (const open of this.#open.values()) {
      const all = [...open].filter(({ record }) => !isFinal(record));
      yield* all.slice(0, Math.max(0, all.findLastIndex(wasSent)));
    }
  }
}

function first<Action>(open: ReadonlySet<Action> | undefined): Action | undefined {
  for (const action of open ?? []) return action;
  return undefined;
}
