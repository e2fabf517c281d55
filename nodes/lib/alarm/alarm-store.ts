import type { PackError } from '../errors';
import type { KeyRange } from '../store/keys';
import type { StoreEntry, StoreListener, StoreOperation } from '../store/store';

/** What alarms need of the store; see ../store/store.ts. */
export interface AlarmStore {
  readonly repaired: string | undefined;
  batch(operations: StoreOperation[], options: { sync: boolean }): Promise<void>;
  pages(range: KeyRange, size?: number): AsyncIterable<StoreEntry[]>;
  putAsideBody(key: string, body: Buffer): Promise<void>;
  listen(listener: StoreListener): () => void;
}

/** Stands in for a store that cannot be opened: nothing is in it, and nothing can be put into it. */
export class NoStore implements AlarmStore {
  readonly repaired = undefined;
  readonly #problem: PackError;

  constructor(problem: PackError) {
    this.#problem = problem;
  }

  batch(): Promise<void> {
    return Promise.reject(this.#problem);
  }

  pages(): AsyncIterable<StoreEntry[]> {
    return { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) };
  }

  putAsideBody(): Promise<void> {
    return Promise.reject(this.#problem);
  }

  listen(): () => void {
    return () => undefined;
  }
}
