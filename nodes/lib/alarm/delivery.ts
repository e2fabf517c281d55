import type { PackError } from '../errors';
import type { Alarm, Change, Source } from './alarm';
import type { Clock } from './clock';
import { InOrder } from './in-order';
import { Leaving } from './leaving';
import type { Meaning } from './machine';
import type { AlarmRecord } from './record';

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
}

/** A change that no message has brought: a delay or an interval has passed, or it may not have arrived before. */
export interface Announcement {
  change: Change;
  source: Source;
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
}

/** Resolves when something is on the disk, or with the error if it is not. */
type Stored = Promise<PackError | undefined>;

/**
 * Lets out what was decided, in order and when it is on the disk. A change is owed until it has surely arrived: after a
 * crash, or a deploy in which it may have met a stopped node, it is announced again rather than never.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #wakeBy: (moment: number) => void;
  readonly #inOrder: InOrder<PackError>;
  readonly #leaving = new Leaving();
  #closed = false;

  /** @param wakeBy - is told when {@link settle} has something to do */
  constructor(options: DeliveryOptions, wakeBy: (moment: number) => void) {
    this.#options = options;
    this.#wakeBy = wakeBy;
    this.#inOrder = new InOrder(() => this.#isHeld());
  }

  /** A message has changed nothing, and is not about anything known. */
  nothing(meaning: Outcome['meaning'], deliver: Deliver<Outcome>): void {
    this.#inOrder.add(undefined, () =>
      deliver({ changes: [], meaning, alarm: undefined, source: undefined }, undefined),
    );
  }

  outcome(record: AlarmRecord, outcome: Outcome, stored: Stored | undefined, deliver: Deliver<Outcome>): void {
    this.#inOrder.add(stored, (error) => {
      deliver(outcome, error);
      this.#hasLeft(record, outcome.changes);
    });
  }

  announce(record: AlarmRecord, change: Change, stored: Stored): void {
    this.#inOrder.add(stored, (error) => this.#tell(record, change, false, error));
  }

  /** Announces again what was owed when the process ended. */
  payOwed(records: readonly AlarmRecord[]): void {
    const owed = records.flatMap((record) => record.owed.map((change) => ({ record, change })));
    owed.sort((one, other) => (BigInt(one.change.time) < BigInt(other.change.time) ? -1 : 1));
    for (const { record, change } of owed) {
      this.#inOrder.add(undefined, () => this.#tell(record, change, true, undefined));
    }
  }

  /** When {@link settle} has something to do; Infinity when never. */
  next(): number {
    return this.#isHeld() ? Infinity : this.#leaving.next();
  }

  /** What has arrived by now is not owed any more. Returns whose that was: they are to be stored. */
  settle(now: number): AlarmRecord[] {
    return this.#isHeld() ? [] : this.#leaving.settle(now);
  }

  /** Nothing is held any more. What had left a moment before may have found nobody. */
  resume(): void {
    for (const { record, change } of this.#leaving.takeAll()) this.#tell(record, change, true, undefined);
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

  #tell(record: AlarmRecord, change: Change, again: boolean, error: PackError | undefined): void {
    this.#options.announce({ change, source: record.source, again }, error);
    this.#hasLeft(record, [change]);
  }

  #hasLeft(record: AlarmRecord, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#leaving.add(record, changes, this.#options.clock.steady());
    this.#wakeBy(this.#leaving.next());
  }
}
