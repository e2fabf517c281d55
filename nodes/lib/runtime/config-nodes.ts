import type { Node, NodeAPI } from 'node-red';

/**
 * The config node of this id, if it is there and of the type: an imported flow can name one that is missing, disabled or
 * something else.
 */
export function configNode(RED: NodeAPI, id: string, type: string): Node | undefined {
  const node = nodeOf(RED, id);
  return node?.type === type ? node : undefined;
}

/** The running node of this id; the published type of `getNode` forgets that there may be none. */
export function nodeOf(RED: NodeAPI, id: string): Node | undefined {
  return RED.nodes.getNode(id);
}

/** A list of those who want to know when something has changed. */
export class Listeners {
  readonly #listeners = new Set<() => void>();

  /** @returns the function that takes the listener off the list */
  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
