import { TextHash } from './hash';
import { startOfFields } from './lines';

/** Points that are remembered at once: with them the set takes 32 MB. */
const MOST_POINTS = 2 ** 21;

/**
 * Which points there are among many: each is known by its series and time, whatever its fields. Takes one share of them at a
 * time, so that memory stays bounded however many there are.
 */
export class PointSet {
  /** Both halves of a hash, one behind the other; both 0: free. */
  #slots: Uint32Array;
  #mask: number;
  #size = 0;
  readonly #share: number;
  readonly #shares: number;
  readonly #hash = new TextHash();

  private constructor(slots: number, share: number, shares: number) {
    this.#slots = new Uint32Array(2 * slots);
    this.#mask = slots - 1;
    this.#share = share;
    this.#shares = shares;
  }

  /**
   * Empty sets, one for each share.
   *
   * @param points - how many there will be in all of them together
   */
  static *sharing(points: number, most = MOST_POINTS): Generator<PointSet> {
    const shares = Math.max(1, Math.ceil(points / most));
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, (2 * points) / shares)));
    for (let share = 0; share < shares; share++) yield new PointSet(slots, share, shares);
  }

  /** Does nothing when the point belongs to another share. */
  add(line: string): void {
    if (!this.#take(line)) return;
    const { high, low } = this.#hash;
    this.#put(high, low);
    // Shares differ a little; a free place must stay near.
    if (4 * this.#size > 3 * (this.#mask + 1)) this.#grow();
  }

  /** Whether a point of this share is not in the set. */
  lacks(line: string): boolean {
    if (!this.#take(line)) return false;
    const { high, low } = this.#hash;
    const at = this.#find(high, low);
    return this.#slots[at] === 0 && this.#slots[at + 1] === 0;
  }

  /** Takes the hash of a point; false when it belongs to another share. */
  #take(line: string): boolean {
    this.#hash.take(line.slice(0, startOfFields(line)) + line.slice(line.lastIndexOf(' ')));
    return this.#hash.high % this.#shares === this.#share;
  }

  #put(high: number, low: number): void {
    const at = this.#find(high, low);
    if (this.#slots[at] === 0 && this.#slots[at + 1] === 0) this.#size += 1;
    this.#slots[at] = high;
    this.#slots[at + 1] = low;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * before.length);
    this.#mask = before.length - 1;
    this.#size = 0;
    for (let at = 0; at < before.length; at += 2) {
      const [high = 0, low = 0] = [before[at], before[at + 1]];
      if (high !== 0 || low !== 0) this.#put(high, low);
    }
  }

  /** Where the hash is, or would be. */
  #find(high: number, low: number): number {
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = 2 * slot;
      const [one, other] = [this.#slots[at], this.#slots[at + 1]];
      if ((one === high && other === low) || (one === 0 && other === 0)) return at;
    }
  }
}
