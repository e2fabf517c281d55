import type { IPublishPacket } from 'mqtt';
import { PackError, reasonOf } from '../errors';
import { ownClientId } from '../mqtt/client-id';
import { Packets } from '../mqtt/packets';
import { Session, type BrokerAddress, type SessionState } from '../mqtt/session';
import { DEFAULT_MAXIMUM_BYTES } from '../protocol/limits';
import { signedRange } from '../store/keys';
import { Store } from '../store/store';
import { systemClock } from './clock';
import { Journal, type NewAction } from './journal';
import type { ActionRecord } from './record';
import { decodeSignedTime, signedTimes, type SignedTime } from './signed-times';
import { Users, type OutboxUser } from './users';

export interface OutboxOptions {
  /** Folder of the store. */
  directory: string;
  /** Id of the broker node: the name of the session. */
  broker: string;
  address: BrokerAddress;
}

/** Milliseconds between attempts to open or read a store. */
const REOPEN_INTERVAL = 1000;
/** Actions that may wait: more is a flow out of control, or a broker that will not come back. */
const MOST_PENDING = 10_000;
/** Actions of one topic that may wait for each other. */
const MOST_WAITING = 1000;

interface Opened {
  journal: Journal;
  packets: Packets;
  session: Session;
  /** The store has failed meanwhile. */
  failure: { error?: unknown };
}

/**
 * All that goes to one broker: the journal of actions, the session that brings them there, and the nodes that they come
 * from. After a failure of the store all is read again, as after a restart.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  /** The nodes that publish by it now. */
  readonly #residents = new Map<string, OutboxUser>();
  /** They, and those that did before. */
  readonly #users = new Users(() => this.#opened?.journal);
  #store: Store | undefined;
  #unlisten: () => void = () => undefined;
  /** The repair of the store that is known of. */
  #repaired: string | undefined;
  #opened: Opened | undefined;
  #failedJournal: Journal | undefined;
  #problem: PackError | undefined;
  #opening: Promise<void>;
  /** Lets the opening begin: what comes in before somebody is there to hear it would be lost. */
  #begin: () => void = () => undefined;
  #wake: (() => void) | undefined;
  #isClosed = false;

  /** @param before - resolves when an earlier outbox of this broker has let go of it */
  constructor(options: OutboxOptions, before?: Promise<unknown>) {
    this.#options = options;
    const begun = new Promise<void>((resolve) => {
      this.#begin = resolve;
    });
    this.#opening = Promise.all([before, begun]).then(() => this.#open());
  }

  /** Why actions cannot be stored, if so. */
  get problem(): string | undefined {
    return (this.#problem ?? this.#store?.refusal)?.message;
  }

  get connection(): SessionState {
    return this.#opened?.session.state ?? { state: 'connecting' };
  }

  /** From now on the node hears of its actions, those included that were found in the store. */
  attach(node: string, user: OutboxUser): void {
    if (this.#residents.get(node) === user) return;
    this.#residents.set(node, user);
    this.#users.add(node, user);
    this.#begin();
    this.subscribe();
  }

  /** The same for a node that is at another broker now: what it has not sent here is not sent any more. */
  attachFormer(node: string, user: OutboxUser): void {
    if (!this.#residents.has(node)) this.#users.add(node, user);
  }

  /** @param isRemoved - the node is gone for good: what was not sent is not sent any more */
  detach(node: string, isRemoved: boolean): void {
    this.#residents.delete(node);
    this.#users.remove(node);
    const { journal } = this.#opened ?? {};
    if (!isRemoved || !journal) return;
    for (const { record } of [...journal]) if (record.node === node) journal.discard(record.id);
  }

  /** The topics of answers have changed. */
  subscribe(): void {
    const filters = new Set([...this.#residents.values()].flatMap((user) => user.answerFilters()));
    this.#opened?.session.subscribe([...filters]);
  }

  /**
   * Takes an alarm over; resolves when it is safe on disk.
   *
   * @throws PackError `store-unavailable`, `queue-full`: it is not sent
   */
  async create(alarm: NewAction): Promise<void> {
    const journal = await this.#journalWithRoom();
    await journal.create(alarm);
  }

  /**
   * Takes an action over; resolves when it is safe on disk.
   *
   * @param supersedes - whether it ends the older ones of its topic
   * @param sign - makes it, signed with the time that is given, which is later than all before; or nothing
   * @returns whether it did
   * @throws PackError `store-unavailable`, `queue-full`: it is not sent
   */
  async createAction(
    topic: string,
    supersedes: boolean,
    sign: (time: SignedTime) => NewAction | undefined,
  ): Promise<boolean> {
    const journal = await this.#journalWithRoom();
    if (!supersedes && journal.sizeOf(topic) > MOST_WAITING) {
      throw new PackError('queue-full', `${MOST_WAITING} actions are waiting already for an older one of their topic`);
    }
    const time = signedTimes.next();
    // Nothing is awaited in between, so the order in which they are sent is that of their times.
    const action = sign(time);
    if (action !== undefined) await journal.create(action, time.time, supersedes);
    return action !== undefined;
  }

  async #journalWithRoom(): Promise<Journal> {
    const { journal } = await this.#ready();
    if (this.#store?.refusal) throw this.#store.refusal;
    if (journal.size >= MOST_PENDING) {
      throw new PackError('queue-full', `${MOST_PENDING} messages are waiting for the broker already`);
    }
    return journal;
  }

  /** Actions of a node that wait for an older one of their topic. */
  waiting(node: string): number {
    return this.#opened?.journal.waiting(node) ?? 0;
  }

  /**
   * Publishes at QoS 0, at once or not at all.
   *
   * @throws PackError `broker-unavailable`
   */
  async publishOnce(topic: string, message: string): Promise<void> {
    const { session } = await this.#ready();
    await session.publishOnce(topic, message);
  }

  /** Ends the connection; what is not over goes on at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#begin();
    this.#wake?.();
    await this.#opening;
    await this.#letGo();
    this.#unlisten();
    // Whoever reads the store next must find what was begun before.
    await this.#store?.batch([], { sync: true }).catch(() => undefined);
    await this.#store?.close();
    this.#store = undefined;
  }

  async #ready(): Promise<Opened> {
    if (!this.#opened && !this.#problem) await this.#opening;
    if (this.#opened) return this.#opened;
    throw this.#problem ?? new PackError('store-unavailable', 'The connection to the broker is being closed');
  }

  async #open(): Promise<void> {
    while (!this.#isClosed) {
      try {
        this.#store ??= await this.#openStore();
        this.#opened = await this.#load(this.#store);
        if ('error' in this.#opened.failure) throw this.#opened.failure.error;
        this.#failedJournal = undefined;
        this.#problem = undefined;
        this.subscribe();
        this.#users.tellEverybody();
        this.#users.discardOrphans(systemClock.now());
        this.#changed();
        return;
      } catch (error) {
        await this.#letGo();
        this.#cannotOpen(error);
      }
      await this.#wait();
    }
  }

  async #openStore(): Promise<Store> {
    const store = await Store.open(this.#options.directory);
    this.#repaired = store.repaired;
    this.#unlisten = store.listen({
      opened: () => {
        this.#putAgain(store);
        this.#wake?.();
      },
      damaged: ({ reason, copy }) => this.#report('warn', 'damaged', { reason, copy }),
      putAside: ({ kind, records, fault }) =>
        this.#report('warn', `aside-${fault}`, { kind, records: String(records) }),
    });
    return store;
  }

  /** A repair may have lost what goes on here. */
  #putAgain(store: Store): void {
    if (store.repaired === this.#repaired) return;
    this.#repaired = store.repaired;
    this.#opened?.journal.putAgain();
    this.#opened?.packets.putAgain();
  }

  async #load(store: Store): Promise<Opened> {
    const { broker, address } = this.#options;
    const clientId = await ownClientId(store, broker);
    await learnSignedTimes(store);
    const failure: Opened['failure'] = {};
    const failed = (error: unknown) => {
      failure.error = error;
      this.#failed(error, journal);
    };
    const journal = await Journal.load(
      store,
      broker,
      {
        stepTaken: (action, step) => {
          this.#users.tell(action, step);
          this.#send();
        },
        due: () => this.#send(),
        failed,
      },
      systemClock,
      this.#failedJournal,
    );
    try {
      const packets = await Packets.load(store, broker, journal, failed);
      journal.start(new Set(packets.messages()));
      const session = new Session(address, clientId, packets, {
        ready: () => this.#send(),
        received: (packet) => this.#received(packet, journal),
        changed: (state) => {
          journal.listens(state.state === 'connected');
          this.#connectionChanged(state);
        },
        notSubscribed: (filters, reason) =>
          this.#report('warn', 'not-subscribed', { topics: filters.join(', '), reason }),
        notProven: (topic, reason) => this.#report('warn', 'not-proven', { topic, reason }),
      });
      return { journal, packets, session, failure };
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  /** The store has failed; several batches fail together. */
  #failed(error: unknown, journal: Journal): void {
    if (this.#isClosed || this.#opened?.journal !== journal) return;
    this.#cannotOpen(error);
    const ended = this.#letGo();
    this.#failedJournal = journal;
    this.#opening = ended.then(() => this.#wait()).then(() => this.#open());
  }

  async #letGo(): Promise<void> {
    const { journal, session } = this.#opened ?? {};
    this.#opened = undefined;
    journal?.close();
    await session?.close();
  }

  #cannotOpen(error: unknown): void {
    const reason = reasonOf(error);
    if (reason !== this.#problem?.message) this.#report('warn', 'store-unavailable', { reason });
    this.#problem = error instanceof PackError ? error : new PackError('store-unavailable', reason, { cause: error });
    this.#changed();
  }

  /** Until the store is open again, as far as it says so. */
  #wait(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, REOPEN_INTERVAL);
      this.#wake = wake;
    });
  }

  #send(): void {
    const { journal, session } = this.#opened ?? {};
    if (!journal || !session) return;
    while (session.room > 0) {
      const action = journal.take();
      if (action === undefined) return;
      // Without its node nobody would hear of it; it is looked at again.
      if (!this.#residents.has(action.node)) continue;
      if (this.#publish(session, action)) continue;
      journal.later(action);
      return;
    }
  }

  #publish(session: Session, { id, kind, topic, message, expires }: ActionRecord): boolean {
    if (kind === 'alarm') return session.publish(id, topic, message, 1);
    const seconds = Math.max(1, Math.ceil((expires - systemClock.now()) / 1000));
    return session.publish(id, topic, message, 2, seconds);
  }

  async #received({ topic, payload, retain }: IPublishPacket, journal: Journal): Promise<void> {
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
    const claimed = claimedId(bytes);
    const action = journal.find(claimed);
    const user = this.#users.get(action?.node ?? '') ?? this.#userFor(topic);
    const judged = user?.judge({ topic, bytes, isRetained: retain });
    if (!user || !judged) return;
    const isClaimed = claimed !== '' && judged.payload['id'] === claimed;
    user.answered(isClaimed ? await journal.answered(claimed, topic, judged.payload) : 'unknown-action', topic);
  }

  #userFor(topic: string): OutboxUser | undefined {
    return [...this.#residents.values()].find((user) => user.expectsAnswersOn(topic));
  }

  #connectionChanged(state: SessionState): void {
    if (state.state === 'trouble') this.#report('warn', 'trouble', { reason: state.reason });
    else if (state.state !== 'connecting') this.#report(state.state === 'connected' ? 'log' : 'warn', state.state, {});
    this.#changed();
  }

  #report(level: 'log' | 'warn', name: string, values: Record<string, string>): void {
    const [first] = this.#residents.values();
    first?.report(level, name, { broker: this.#options.address.url, ...values });
  }

  #changed(): void {
    for (const user of this.#residents.values()) user.changed();
  }
}

/** The action that an answer says it is to; nothing is proven yet. */
function claimedId(bytes: Buffer): string {
  // Nobody has proven anything yet, so it is judged by its length before it is parsed.
  if (bytes.length > DEFAULT_MAXIMUM_BYTES) return '';
  try {
    const message = JSON.parse(bytes.toString()) as { payload?: { id?: unknown } } | null;
    const id = message?.payload?.id;
    return typeof id === 'string' ? id : '';
  } catch {
    return '';
  }
}

/** Of all brokers: a device may have been given another one. */
async function learnSignedTimes(store: Store): Promise<void> {
  for await (const page of store.pages(signedRange())) {
    for (const [key, value] of page) {
      const time = decodeSignedTime(value);
      if (time === undefined) await store.putAsideBody(key, value);
      else signedTimes.learn(time);
    }
  }
}
