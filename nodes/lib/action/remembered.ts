/** Keeps what was added last, up to a number and a size. */
export class Remembered<T> {
  readonly #most: number;
  readonly #mostBytes: number;
  readonly #bytesOf: (value: T) => number;
  readonly #values = new Map<string, { value: T; bytes: number }>();
  #bytes = 0;

  /** @param bytesOf - what a value takes, about; by default only their number counts */
  constructor(most: number, mostBytes = Infinity, bytesOf: (value: T) => number = () => 0) {
    this.#most = most;
    this.#mostBytes = mostBytes;
    this.#bytesOf = bytesOf;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  get(name: string): T | undefined {
    return this.#values.get(name)?.value;
  }

  add(name: string, value: T): void {
    this.delete(name);
    const bytes = this.#bytesOf(value);
    this.#values.set(name, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#most && this.#bytes <= this.#mostBytes) return;
      this.delete(oldest);
    }
  }

  delete(name: string): void {
    this.#bytes -= this.#values.get(name)?.bytes ?? 0;
    this.#values.delete(name);
  }
}
