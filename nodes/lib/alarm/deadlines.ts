/** A key whose time has come. */
export interface Due {
  key: string;
  at: number;
}

/**
 * Waiting times by key. As those of one length end in the order in which they began, each length has a queue, and to begin
 * anew takes the same short time however many there are: it is done for every message of every sensor.
 */
export class Deadlines {
  readonly #lanes = new Map<number, Map<string, number>>();
  readonly #lengths = new Map<string, number>();

  /** Lets a key wait, from the beginning if it waits already. Those of one length have to come in the order of `from`. */
  start(key: string, length: number, from: number): void {
    const known = this.#lengths.get(key);
    if (known !== undefined) this.#lanes.get(known)?.delete(key);
    if (known !== length) this.#lengths.set(key, length);
    let lane = this.#lanes.get(length);
    if (lane === undefined) {
      lane = new Map();
      this.#lanes.set(length, lane);
    }
    lane.set(key, from);
  }

  stop(key: string): void {
    const length = this.#lengths.get(key);
    if (length === undefined) return;
    this.#lengths.delete(key);
    const lane = this.#lanes.get(length);
    lane?.delete(key);
    if (lane?.size === 0) this.#lanes.delete(length);
  }

  /** How long a key waits in all; undefined when it does not. */
  lengthOf(key: string): number | undefined {
    return this.#lengths.get(key);
  }

  /** How long a key has still to wait; undefined when it does not. */
  leftOf(key: string, now: number): number | undefined {
    const length = this.#lengths.get(key);
    const from = length === undefined ? undefined : this.#lanes.get(length)?.get(key);
    return length === undefined || from === undefined ? undefined : Math.max(from + length - now, 0);
  }

  /** The shortest time for which one waits in all. */
  shortest(): number {
    return Math.min(...this.#lanes.keys());
  }

  keys(): Iterable<string> {
    return this.#lengths.keys();
  }

  /** When the next one is due; Infinity when none waits. */
  next(): number {
    let next = Infinity;
    for (const [length, lane] of this.#lanes) {
      for (const from of lane.values()) {
        next = Math.min(next, from + length);
        break;
      }
    }
    return next;
  }

  /** Takes off what is due by now, in the order in which it became so. */
  take(now: number): Due[] {
    const due: Due[] = [];
    for (const [length, lane] of this.#lanes) {
      for (const [key, from] of lane) {
        if (from + length > now) break;
        due.push({ key, at: from + length });
      }
    }
    for (const { key } of due) this.stop(key);
    return due.sort((one, other) => one.at - other.at);
  }
}
