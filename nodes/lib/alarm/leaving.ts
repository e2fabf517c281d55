import type { PackError } from '../errors';
import type { Clock } from './clock';
import type { Debt } from './debt';

export interface LeavingOptions {
  clock: Clock;
  /** Whether nothing is to be sent, or taken to have arrived, now. */
  isHeld(): boolean;
  /**
   * These have arrived: they are not owed any more. There may be none. Resolves when that is in the store, and so all that
   * was handed to the store before; or with the error if the store fails.
   */
  settle(arrived: readonly Debt[]): Promise<PackError | undefined>;
  /** These may have left in vain. */
  tellAgain(debts: readonly Debt[]): void;
  /** The store could not be used until now, and influx-write may not have noticed yet that it can. */
  isInDoubt: boolean;
  /** Is told when {@link Leaving.turn} has something to do. */
  wakeBy(moment: number): void;
}

/**
 * Milliseconds that a change is on its way at least, and twice as many at most. Nobody tells when a message has done what
 * it is sent for; a mail can take some seconds.
 */
const ON_ITS_WAY = 5000;

/** So many are on their way at most. When there are more, the oldest count as arrived: they have been told once. */
const MOST_LEAVING = 20_000;

/**
 * Changes that have left the node and may not have arrived. They have when two turns have passed, with
 * {@link ON_ITS_WAY} before each and the store in between. Time alone would not do: while the process hangs, or the disk,
 * a message does not get on. A point that influx-write has then been waiting to store comes before what the second turn
 * stores, as it is the same store; so there is no moment at which a change is no longer owed and not queued either.
 */
export class Leaving {
  readonly #options: LeavingOptions;
  #young: Debt[] = [];
  #old: Debt[] = [];
  #next = Infinity;
  #isSettling = false;
  /** The store has failed, and so influx-write may have as well. */
  #isInDoubt: boolean;

  constructor(options: LeavingOptions) {
    this.#options = options;
    this.#isInDoubt = options.isInDoubt;
    if (options.isInDoubt) this.#next = options.clock.steady() + ON_ITS_WAY;
  }

  /** @param error - why the changes could not be stored */
  add(debts: readonly Debt[], error?: PackError): void {
    if (debts.length === 0) return;
    if (error !== undefined) this.#isInDoubt = true;
    this.#young.push(...debts);
    const excess = this.#young.length + this.#old.length - MOST_LEAVING;
    if (excess > 0) {
      const old = this.#old.splice(0, excess);
      void this.#options.settle([...old, ...this.#young.splice(0, excess - old.length)]);
    }
    this.#await();
  }

  /** When the next turn is, by the steady clock; Infinity when there is none. */
  next(): number {
    return this.#options.isHeld() ? Infinity : this.#next;
  }

  turn(now: number): void {
    if (now < this.next()) return;
    this.#next = Infinity;
    void this.#turn();
  }

  /** Takes off all that may not have arrived. */
  takeAll(): Debt[] {
    this.#next = Infinity;
    this.#isInDoubt = false;
    return [...this.#old.splice(0), ...this.#young.splice(0)];
  }

  async #turn(): Promise<void> {
    let arrived: Debt[] = [];
    if (!this.#isInDoubt) [arrived, this.#old, this.#young] = [this.#old, this.#young, []];
    this.#isSettling = true;
    const error = await this.#options.settle(arrived);
    this.#isSettling = false;
    if (error !== undefined) this.#isInDoubt = true;
    else if (this.#isInDoubt && !this.#options.isHeld()) this.#options.tellAgain(this.takeAll());
    this.#await();
  }

  #await(): void {
    if (this.#young.length + this.#old.length === 0) {
      this.#isInDoubt = false;
      return;
    }
    if (this.#isSettling || this.#next < Infinity) return;
    this.#next = this.#options.clock.steady() + ON_ITS_WAY;
    this.#options.wakeBy(this.#next);
  }
}
