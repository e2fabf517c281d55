/**
 * Messages handled in one turn of the event loop. One read from a busy socket can hold thousands of them, and Node-RED
 * hands all to a node before any reaches the next one. What a node makes of a message is bigger than the message: made
 * of thousands at once, it outlives the garbage collector's young generation, and that costs as much as the work itself.
 */
const PER_TURN = 256;

/** Hands items on in their order: at once while there are few, some in each turn of the event loop while there are many. */
export class Pace<Item> {
  readonly #handle: (item: Item) => void;
  /** In portions for one turn; all but the last one are full. */
  readonly #waiting: Item[][] = [];
  /** Items that may still be handled in this turn; none while others wait. */
  #left = PER_TURN;
  #next: NodeJS.Immediate | undefined;

  /** @param handle - must not throw */
  constructor(handle: (item: Item) => void) {
    this.#handle = handle;
  }

  take(item: Item): void {
    this.#next ??= setImmediate(this.#turn);
    if (this.#left > 0) {
      this.#left -= 1;
      this.#handle(item);
      return;
    }
    const last = this.#waiting.at(-1);
    if (last && last.length < PER_TURN) last.push(item);
    else this.#waiting.push([item]);
  }

  /** Hands on all that wait, now. */
  flush(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
    this.#left = PER_TURN;
    for (const portion of this.#waiting.splice(0)) portion.forEach(this.#handle);
  }

  readonly #turn = (): void => {
    const portion = this.#waiting.shift() ?? [];
    this.#next = portion.length > 0 ? setImmediate(this.#turn) : undefined;
    this.#left = PER_TURN - portion.length;
    for (const item of portion) this.#handle(item);
  };
}
