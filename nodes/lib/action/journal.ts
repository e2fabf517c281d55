import { PackError } from '../errors';
import type { PacketChange, PacketOwner } from '../mqtt/packets';
import { numberedKey, outboxPrefix, prefixRange, sequenceOf, signedKey } from '../store/keys';
import type { Store, StoreOperation } from '../store/store';
import { refusalIn } from './answer';
import {
  abandon,
  answered,
  begin,
  dueAt,
  packetChanged,
  resume,
  supersede,
  timePassed,
  type Clock,
  type LivingAction,
} from './life';
import { Remembered } from './remembered';
import { decodeAction, encodeAction, hasTaken, isFinal, stateOf, type ActionRecord, type StepTaken } from './record';
import { encodeSignedTime } from './signed-times';
import { TopicOrder } from './topic-order';

/** What the journal reports; every step reported is in the store. */
export interface JournalListener {
  stepTaken(action: ActionRecord, step: StepTaken): void;
  /** Something may be sent now. */
  due(): void;
  /** The store has failed: it must be read again, and this be thrown away. */
  failed(error: unknown): void;
}

interface JournalledAction extends LivingAction {
  key: string;
  /** Steps that are in the store. */
  stored: number;
  /** For each batch on its way to the store, how many steps it holds. */
  storing: number[];
  /** Waits for its turn to be sent. */
  isQueued: boolean;
}

/** How often it is looked at what is due. */
const TICK = 250;
const REMEMBERED = 10_000;
/** These are kept whole. */
const REMEMBERED_FAILURES = 1000;
const REMEMBERED_BYTES = 8 * 1024 * 1024;

/** What an answer was: to an action that waited for it or was given up, to one that is over, or to none. */
export type AnswerOutcome = 'accepted' | 'repeated' | 'unknown-action';

/** An action that a node has made. */
export type NewAction = Omit<ActionRecord, 'steps'>;

/**
 * The actions of one broker that are not over: what is in memory is in the store, or on its way there. A change is made
 * here first and reported when it is stored. The packet of an action carries its id.
 */
export class Journal implements PacketOwner {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #listener: JournalListener;
  readonly #clock: Clock;
  readonly #actions = new Map<string, JournalledAction>();
  readonly #order = new TopicOrder<JournalledAction>();
  /** Where the newest signed time is kept. */
  readonly #signedKey: string;
  /** Actions that are over, to tell a late answer from one that nobody has asked for. */
  readonly #over = new Remembered<true>(REMEMBERED);
  /** Those of them that have failed: what the device has to say of them is worth knowing. */
  readonly #givenUp = new Remembered<JournalledAction>(REMEMBERED_FAILURES, REMEMBERED_BYTES, sizeOf);
  /** Keys of actions that could not be stored, as their sender knows; but a batch that fails may be in the store. */
  readonly unborn = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** Since when answers can come, in milliseconds since 1970; undefined: they cannot. */
  #hearingSince: number | undefined;
  #queue: JournalledAction[] = [];
  #next = 0;
  #isClosed = false;

  private constructor(store: Store, broker: string, listener: JournalListener, clock: Clock) {
    this.#store = store;
    this.#prefix = outboxPrefix('action', broker);
    this.#signedKey = signedKey(broker);
    this.#listener = listener;
    this.#clock = clock;
  }

  /**
   * Reads what the store holds. Nothing goes on before {@link start}.
   *
   * @param before - the journal that has failed, if there was one
   * @throws PackError `store-unavailable`
   */
  static async load(
    store: Store,
    broker: string,
    listener: JournalListener,
    clock: Clock,
    before?: Journal,
  ): Promise<Journal> {
    const journal = new Journal(store, broker, listener, clock);
    const unborn: StoreOperation[] = [];
    for await (const page of store.pages(prefixRange(journal.#prefix))) {
      for (const [key, value] of page) {
        const record = decodeAction(value);
        if (before?.unborn.has(key) === true) unborn.push({ type: 'del', key });
        else if (record === undefined) await store.putAsideBody(key, value);
        else journal.#add(key, { record, inFlight: false, sendAt: undefined, isWaiting: true }, record.steps.length);
        journal.#next = sequenceOf(key) + 1;
      }
    }
    if (unborn.length > 0) await store.batch(unborn, { sync: true });
    return journal;
  }

  /**
   * Goes on with what was found in the store.
   *
   * @param inFlight - ids of the actions whose packets are unfinished
   */
  start(inFlight: ReadonlySet<string>): void {
    for (const action of this.#actions.values()) {
      Object.assign(action, resume(action.record, inFlight.has(action.record.id), this.#clock));
    }
    for (const action of this.#order.overtaken(({ record }) => hasTaken(record, 'sent')))
      supersede(action, this.#clock);
    for (const action of this.#actions.values()) {
      action.isWaiting = !isFinal(action.record) && !this.#order.isTurnOf(action);
      this.#saveSteps(action);
    }
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  /** Answers can come from now on, or cannot: one that waits at the broker meanwhile is no missing answer. */
  listens(isConnected: boolean): void {
    this.#hearingSince = isConnected ? this.#clock.now() : undefined;
  }

  /** Ends the actions of these nodes: nobody uses the broker any more. In place of {@link start}. */
  abandon(nodes: { has(node: string): boolean }): void {
    for (const action of this.#actions.values()) {
      if (!nodes.has(action.record.node)) continue;
      abandon(action, this.#clock);
      this.#saveSteps(action);
    }
  }

  get size(): number {
    return this.#actions.size;
  }

  /** How many actions of a topic are not over. */
  sizeOf(topic: string): number {
    return this.#order.sizeOf(topic);
  }

  /** Actions that wait for an older one of their topic. */
  waiting(node: string): number {
    let count = 0;
    for (const { record, isWaiting } of this.#actions.values()) {
      if (isWaiting && record.node === node && !isFinal(record)) count++;
    }
    return count;
  }

  /** Each action with the steps that are in the store, in the order in which they were created. */
  *[Symbol.iterator](): Generator<{ record: ActionRecord; steps: StepTaken[] }> {
    for (const { record, stored } of this.#actions.values()) yield { record, steps: record.steps.slice(0, stored) };
  }

  /** An action that is not over, or one that was given up not long ago. */
  find(id: string): ActionRecord | undefined {
    return this.#known(id)?.record;
  }

  #known(id: string): JournalledAction | undefined {
    return this.#actions.get(id) ?? this.#givenUp.get(id);
  }

  /** Whether it has come to its end, and that is in the store. */
  isComplete(id: string): boolean {
    const action = this.#actions.get(id);
    return action !== undefined && isFinal(action.record) && action.stored === action.record.steps.length;
  }

  /**
   * Takes an action over; resolves when it is stored. It is sent when no older one of its topic is under way.
   *
   * @param signed - the time it was signed with, if no later one may be earlier
   * @param supersedes - it ends the older ones of its topic
   * @throws PackError `store-unavailable`: it is not sent
   */
  async create(created: NewAction, signed?: string, supersedes = false): Promise<void> {
    this.#mustBeOpen();
    const older = supersedes ? this.#order.of(created.topic) : [];
    const key = numberedKey(this.#prefix, this.#next++);
    const action = this.#add(key, begin(created, this.#clock), 0);
    action.isWaiting = !this.#order.isTurnOf(action);
    this.unborn.add(key);
    for (const one of older) supersede(one, this.#clock);
    const operations: StoreOperation[] = [];
    if (signed !== undefined) {
      operations.push({ type: 'put', key: this.#signedKey, value: encodeSignedTime(signed) });
    }
    // In one batch: the older ones are over if and only if this one is there.
    await this.#save([action, ...older.filter(hasUnstored)], operations);
    this.unborn.delete(key);
    if (this.#isClosed) return;
    if (!action.isWaiting) this.#enqueue(action);
    this.#listener.due();
  }

  /** Once it is closed, another journal has the next number, or will. */
  #mustBeOpen(): void {
    if (this.#isClosed) throw new PackError('store-unavailable', 'The connection to the broker is being closed');
  }

  /**
   * The device has answered, as was proven; resolves when that is stored.
   *
   * @throws PackError `store-unavailable`
   */
  async answered(id: string, topic: string, acknowledgement: Record<string, unknown>): Promise<AnswerOutcome> {
    const action = this.#known(id);
    if (action === undefined) return this.#over.has(id) ? 'repeated' : 'unknown-action';
    if (action.record.answer?.topic !== topic) return 'unknown-action';
    const refusal = refusalIn(acknowledgement);
    // Of one that is over, only that it was performed after all is news.
    if (hasTaken(action.record, 'acknowledged') || (refusal !== undefined && isFinal(action.record))) return 'repeated';
    if (!this.#actions.has(id)) this.#takeUpAgain(action);
    answered(action, acknowledgement, refusal, this.#clock);
    await this.#save([action]);
    return 'accepted';
  }

  #takeUpAgain(action: JournalledAction): void {
    const { id } = action.record;
    this.#givenUp.delete(id);
    action.key = numberedKey(this.#prefix, this.#next++);
    this.#actions.set(id, action);
  }

  /** The next action to send; it is sent now, or given back by {@link later}. */
  take(): ActionRecord | undefined {
    for (let action = this.#queue.shift(); action !== undefined; action = this.#queue.shift()) {
      action.isQueued = false;
      // Its node is gone.
      if (this.#actions.get(action.record.id) !== action) continue;
      if (this.#timePassed(action)) return action.record;
      this.#saveSteps(action);
    }
    return undefined;
  }

  /** It could not be sent now. */
  later({ id }: ActionRecord): void {
    const action = this.#actions.get(id);
    if (action === undefined) return;
    action.isQueued = true;
    this.#queue.unshift(action);
  }

  changing(id: string, change: PacketChange): StoreOperation[] {
    const action = this.#actions.get(id);
    if (action === undefined) return [];
    packetChanged(action, change, this.#clock);
    return [this.#operation(action)];
  }

  changed(id: string): void {
    const action = this.#actions.get(id);
    if (action !== undefined) this.#stored(action);
  }

  /** Whether its packet is still to be sent, where that was begun on an earlier connection. */
  isWanted(id: string): boolean {
    const action = this.#actions.get(id);
    return action !== undefined && !isFinal(action.record);
  }

  /** Everything that belongs to its end is done. */
  forget(id: string): void {
    const action = this.#actions.get(id);
    if (action !== undefined && stateOf(action.record) === 'failed') this.#givenUp.add(id, action);
    this.discard(id);
  }

  /** Nobody wants to know of it any more. */
  discard(id: string): void {
    const action = this.#actions.get(id);
    if (action === undefined) return;
    this.#actions.delete(id);
    this.#over.add(id, true);
    this.#leave(action);
    // Found again after a power cut, it would be reported once more: not worth waiting for the disk.
    this.#store.batch([{ type: 'del', key: action.key }], { sync: false }).catch((error: unknown) => this.#fail(error));
  }

  /** The store was repaired, and may have lost some: what is in memory is right. */
  putAgain(): void {
    this.#save([...this.#actions.values()]).catch(() => undefined);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#queue = [];
  }

  #add(key: string, living: LivingAction, stored: number): JournalledAction {
    const action = { ...living, key, stored, storing: [], isQueued: false };
    this.#actions.set(living.record.id, action);
    if (!isFinal(living.record)) this.#order.add(action);
    return action;
  }

  #tick(): void {
    const now = this.#clock.now();
    for (const action of this.#actions.values()) {
      // One that is being stored for the first time may not be sent.
      if (action.stored === 0 || dueAt(action) > now) continue;
      if (this.#timePassed(action)) this.#enqueue(action);
      else this.#saveSteps(action);
    }
    if (this.#queue.length > 0) this.#listener.due();
  }

  /** It is over: the next one of its topic is sent. */
  #leave(action: JournalledAction): void {
    const next = this.#order.remove(action);
    // One that is over by now leaves when that is stored.
    if (next?.isWaiting !== true || isFinal(next.record)) return;
    next.isWaiting = false;
    // One that is being stored for the first time may not be sent yet.
    if (this.#isClosed || next.stored === 0) return;
    this.#enqueue(next);
    this.#listener.due();
  }

  #timePassed(action: JournalledAction): boolean {
    return timePassed(action, this.#clock, this.#hearingSince);
  }

  #enqueue(action: JournalledAction): void {
    if (action.isQueued) return;
    action.isQueued = true;
    this.#queue.push(action);
  }

  /** Stores what time has done to it, if anything. */
  #saveSteps(action: JournalledAction): void {
    if (hasUnstored(action)) this.#save([action]).catch(() => undefined);
  }

  async #save(actions: readonly JournalledAction[], operations: StoreOperation[] = []): Promise<void> {
    try {
      await this.#store.batch([...actions.map((action) => this.#operation(action)), ...operations], { sync: true });
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    for (const action of actions) this.#stored(action);
  }

  #operation(action: JournalledAction): StoreOperation {
    const { key, record, storing } = action;
    storing.push(record.steps.length);
    return { type: 'put', key, value: encodeAction(record) };
  }

  /** A batch with this action is in the store: they come in the order in which they were begun. */
  #stored(action: JournalledAction): void {
    const { record, storing, stored } = action;
    action.stored = storing.shift() ?? stored;
    if (this.#isClosed) return;
    for (const step of record.steps.slice(stored, action.stored)) this.#listener.stepTaken(record, step);
    if (isFinal(record) && action.stored === record.steps.length) this.#leave(action);
  }

  #fail(error: unknown): void {
    if (!this.#isClosed) this.#listener.failed(error);
  }
}

function hasUnstored({ record, stored, storing }: JournalledAction): boolean {
  return record.steps.length > (storing.at(-1) ?? stored);
}

/** About what an action takes in memory, in bytes. */
function sizeOf({ record }: JournalledAction): number {
  return 2 * (record.message.length + JSON.stringify(record.acknowledgement ?? null).length);
}
