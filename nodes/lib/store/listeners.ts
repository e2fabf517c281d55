/** Throws the error where nobody catches it: it is the caller's own, must be seen, and must not keep others from being told. */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Those who want to hear of one kind of event. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();

  /** Returns a function that removes the listener. */
  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  call(value: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(value);
      } catch (error) {
        surface(error);
      }
    }
  }
}
