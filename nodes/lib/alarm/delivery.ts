import type { PackError } from '../errors';
import type { Alarm, Change, Source } from './alarm';
import type { Clock } from './clock';
import type { Debt } from './debt';
import { InOrder } from './in-order';
import { Leaving } from './leaving';
import type { Meaning } from './machine';

/** What became of a message. */
export interface Outcome {
  /** What it changed, in order; mostly nothing. */
  changes: Change[];
  /** What it meant, if it changed nothing. */
  meaning: Meaning | 'unwatched' | 'unknown-alarm' | 'not-active';
  /** The alarm as it is now; undefined for one that is not known, and for a reading, of which nothing is to be told. */
  alarm: Alarm | undefined;
  /** Whose it is; undefined where nothing can have changed. */
  source: Source | undefined;
  /** It counted though its signed time says that it is old. */
  verdict?: 'late';
}

/** A change that no message has brought: a delay or an interval has passed, or it may not have arrived before. */
export interface Announcement extends Debt {
  /** It may have been announced before. */
  again: boolean;
}

/**
 * Called once a message, in the order in which messages and changes came, when what follows from them is on the disk. With
 * an error it is not: then it holds all the same, and is lost if the process ends before the store works again.
 */
export type Deliver<What> = (what: What, error: PackError | undefined) => void;

export interface DeliveryOptions {
  clock: Clock;
  /** Whether nothing is to be delivered now, as nobody might get it; {@link Delivery.resume} makes up for it. */
  isHeld(): boolean;
  /** Must not throw. */
  announce: Deliver<Announcement>;
  /** The store could not be opened before. */
  isInDoubt?: boolean;
}

/** Resolves when something is on the disk, or with the error if it is not. */
export type Stored = Promise<PackError | undefined>;

/** What {@link Delivery} needs of those who use it. */
export interface DeliveryParts {
  /** These are not owed any more; see `settle` of leaving.ts. */
  settle(arrived: readonly Debt[]): Stored;
  /** Is told when {@link Delivery.turn} has something to do. */
  wakeBy(moment: number): void;
}

/**
 * Lets out what was decided, in order and when it is on the disk. A change is owed until it has surely arrived: after a
 * crash, a failure of the store, or a deploy in which it may have met a stopped node, it is announced again rather than
 * never.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #inOrder: InOrder<PackError>;
  readonly #leaving: Leaving;
  #closed = false;

  constructor(options: DeliveryOptions, parts: DeliveryParts) {
    this.#options = options;
    const isHeld = (): boolean => this.#isHeld();
    this.#inOrder = new InOrder(isHeld);
    this.#leaving = new Leaving({
      clock: options.clock,
      isHeld,
      isInDoubt: options.isInDoubt === true,
      tellAgain: (debts) => this.#tellAgain(debts),
      ...parts,
    });
  }

  /** A message has changed nothing, and is not about anything known. */
  nothing(meaning: Outcome['meaning'], deliver: Deliver<Outcome>): void {
    this.#inOrder.add(undefined, () =>
      deliver({ changes: [], meaning, alarm: undefined, source: undefined }, undefined),
    );
  }

  /** @param debts - the changes of the outcome */
  outcome(outcome: Outcome, debts: readonly Debt[], stored: Stored | undefined, deliver: Deliver<Outcome>): void {
    this.#inOrder.add(stored, (error) => {
      deliver(outcome, error);
      this.#leaving.add(debts, error);
    });
  }

  announce(debt: Debt, stored: Stored): void {
    this.#inOrder.add(stored, (error) => this.#tell(debt, false, error));
  }

  /** Announces again what was owed when the process ended. */
  payOwed(debts: Iterable<Debt>): void {
    for (const debt of debts) this.#inOrder.add(undefined, () => this.#tell(debt, true, undefined));
  }

  /** When {@link turn} has something to do; Infinity when never. */
  next(): number {
    return this.#leaving.next();
  }

  /** What has arrived by now is not owed any more. */
  turn(now: number): void {
    this.#leaving.turn(now);
  }

  /** Nothing is held any more. What had left shortly before may have found nobody. */
  resume(): void {
    this.#tellAgain(this.#leaving.takeAll());
    this.#inOrder.flush();
  }

  /** Resolves when all is delivered, even if that is to nobody: it is owed after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#inOrder.flush();
    await this.#inOrder.settled();
  }

  #isHeld(): boolean {
    return !this.#closed && this.#options.isHeld();
  }

  #tellAgain(debts: readonly Debt[]): void {
    for (const debt of debts) this.#tell(debt, true, undefined);
  }

  #tell(debt: Debt, again: boolean, error: PackError | undefined): void {
    this.#options.announce({ ...debt, again }, error);
    this.#leaving.add([debt], error);
  }
}
