/**
 * Messages handled in one turn of the event loop. One read from a busy socket can hold thousands of them, and Node-RED
 * hands all to a node before any reaches the next one. What a node makes of a message is bigger than the message: made
 * of thousands at once, it outlives the garbage collector's young generation, and that costs as much as the work itself.
 */
const PER_TURN = 256;

/**
 * What may wait. Whoever sends faster than that is worked off would fill the memory; beyond this, an item is taken only
 * for one that is handled, so that the socket is read no faster.
 */
const MOST_WAITING = { items: 16_384, bytes: 8 * 1024 * 1024 };

/** Hands items on in their order: at once while there are few, some in each turn of the event loop while there are many. */
export class Pace<Item> {
  readonly #handle: (item: Item) => void;
  readonly #sizeOf: (item: Item) => number;
  /** In portions for one turn; the first of them from `#done` on, and all but the last one full. */
  readonly #waiting: Item[][] = [];
  #done = 0;
  #items = 0;
  #bytes = 0;
  /** Items that may still be handled in this turn; none while others wait. */
  #left = PER_TURN;
  #next: NodeJS.Immediate | undefined;

  /**
   * @param handle - must not throw
   * @param sizeOf - bytes of an item, about
   */
  constructor(handle: (item: Item) => void, sizeOf: (item: Item) => number) {
    this.#handle = handle;
    this.#sizeOf = sizeOf;
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
    this.#items += 1;
    this.#bytes += this.#sizeOf(item);
    while (this.#items > MOST_WAITING.items || this.#bytes > MOST_WAITING.bytes) this.#handleOldest();
  }

  /** Hands on all that wait, now. */
  flush(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
    this.#left = PER_TURN;
    while (this.#items > 0) this.#handleOldest();
  }

  readonly #turn = (): void => {
    const due = Math.min(PER_TURN, this.#items);
    this.#next = due > 0 ? setImmediate(this.#turn) : undefined;
    this.#left = PER_TURN - due;
    for (let count = 0; count < due && this.#items > 0; count += 1) this.#handleOldest();
  };

  #handleOldest(): void {
    const portion = this.#waiting[0] ?? [];
    const item = portion[this.#done] as Item;
    this.#done += 1;
    if (this.#done === portion.length) {
      this.#waiting.shift();
      this.#done = 0;
    }
    this.#items -= 1;
    this.#bytes -= this.#sizeOf(item);
    this.#handle(item);
  }
}
