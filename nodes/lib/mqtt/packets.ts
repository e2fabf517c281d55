import { Readable } from 'node:stream';
import type { IPublishPacket, IStore, MqttClient } from 'mqtt';
import { numberedKey, outboxPrefix, prefixRange, sequenceOf } from '../store/keys';
import type { Store, StoreOperation } from '../store/store';

/** What has become of a packet. */
export type PacketChange =
  /** it is in the store, and goes out now */
  | { kind: 'sent' }
  /** QoS 2: the broker has taken it and is told to pass it on */
  | { kind: 'released' }
  /** the broker has it; `isRepeated`: it was told to pass it on more than once, over a reconnect */
  | { kind: 'finished'; isRepeated?: boolean }
  /** the broker does not want it (MQTT 5 only) */
  | { kind: 'refused'; reasonCode: number }
  /** the broker has forgotten the session: it may have passed the packet on or not */
  | { kind: 'lost' };

/** Whose packets these are. */
export interface PacketOwner {
  /** The packet changes: returns what belongs into the same batch. */
  changing(message: string, change: PacketChange): StoreOperation[];
  /** The batch is in the store. */
  changed(message: string, change: PacketChange): void;
}

/** What is stored of a packet. */
export interface PacketRecord {
  id: number;
  /** The owner's name of the message. */
  message: string;
  qos: 1 | 2;
  /** Until the broker has taken it: what to send again. */
  publish?: { topic: string; payload: string };
  /** Milliseconds since 1970: the broker is not to deliver it later (MQTT 5 only). */
  expires?: number;
}

interface KnownPacket extends PacketRecord {
  sequence: number;
  /** The connection on which it was released; none for one that was found in the store. */
  releasedOn?: number;
  /** Its end is on the way to the store. */
  isLeaving: boolean;
}

type Packet = Parameters<IStore['put']>[0];
type Done = (error?: Error) => void;
type Deleted = Parameters<IStore['del']>[1];

/** MQTT 5 section 2.4, reason codes from which on an answer is a refusal. */
const FAILURE = 0x80;
const PACKET_ID_NOT_FOUND = 0x92;

/**
 * The packets that the broker has not finished: MQTT.js's outgoing store. All are in memory, so that ids are never given
 * twice and the replay begins at once, and each change is one batch with what the owner makes of it.
 *
 * Nothing is called back when the batch failed, or when the connection ended meanwhile: the replay has sent the packet
 * then, or will, and a second copy would be another message to the broker.
 */
export class Packets implements IStore {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #owner: PacketOwner;
  readonly #failed: (error: unknown) => void;
  readonly #packets = new Map<number, KnownPacket>();
  readonly #refusals = new Map<number, number>();
  #next = 0;
  #connection = 0;
  /** The message that is being published, until MQTT.js hands its packet on. */
  #publishing: { message: string; expires: number | undefined } | undefined;
  /** The batch that was begun last; those before it end before it. */
  #storing: Promise<void> = Promise.resolve();

  private constructor(store: Store, prefix: string, owner: PacketOwner, failed: (error: unknown) => void) {
    this.#store = store;
    this.#prefix = prefix;
    this.#owner = owner;
    this.#failed = failed;
  }

  /**
   * @param broker - id of the broker node
   * @param failed - the store has failed: what it holds must be read again, and this be thrown away
   * @throws PackError `store-unavailable`
   */
  static async load(
    store: Store,
    broker: string,
    owner: PacketOwner,
    failed: (error: unknown) => void,
  ): Promise<Packets> {
    const packets = new Packets(store, outboxPrefix('packet', broker), owner, failed);
    for await (const page of store.pages(prefixRange(packets.#prefix))) {
      for (const [key, value] of page) {
        const sequence = sequenceOf(key);
        const record = decodePacket(value);
        if (record !== undefined) packets.#packets.set(record.id, { ...record, sequence, isLeaving: false });
        packets.#next = sequence + 1;
      }
    }
    return packets;
  }

  get size(): number {
    return this.#packets.size;
  }

  has(id: number): boolean {
    return this.#packets.has(id);
  }

  /** Names of the messages whose packets are unfinished. */
  messages(): string[] {
    return Array.from(this.#packets.values(), ({ message }) => message);
  }

  /**
   * Publishes at QoS 1 or 2. Only while connected: then MQTT.js hands the packet on within the call.
   *
   * @param expiresIn - seconds, more than 0, after which the broker is not to deliver it any more (MQTT 5 only)
   * @returns whether it did
   */
  publish(
    client: MqttClient,
    message: string,
    topic: string,
    payload: string,
    qos: 1 | 2,
    expiresIn?: number,
  ): boolean {
    const expires = expiresIn === undefined ? undefined : Date.now() + expiresIn * 1000;
    this.#publishing = { message, expires };
    // Without a callback, MQTT.js would make an error event of what it does not take.
    client.publish(topic, payload, { qos, retain: false, ...expiryOf(expires) }, () => undefined);
    return this.#takePublishing() === undefined;
  }

  #takePublishing(): { message: string; expires: number | undefined } | undefined {
    const publishing = this.#publishing;
    this.#publishing = undefined;
    return publishing;
  }

  /** What the broker answers, before MQTT.js looks at it: only here a refusal can be told from an end. */
  answered(id: number | undefined, reasonCode: number | undefined): void {
    if (id !== undefined && reasonCode !== undefined && reasonCode >= FAILURE) this.#refusals.set(id, reasonCode);
  }

  /** The connection has ended. */
  disconnected(): void {
    this.#connection++;
    this.#refusals.clear();
  }

  /**
   * The broker has no session for us: what it was to finish at QoS 2 it will not, and a replay would be taken as new or,
   * worse, be confirmed without being known. QoS 1 may be sent twice, and stays.
   *
   * @returns the ids of the packets that are given up
   */
  loseSession(): number[] {
    const lost = [...this.#packets.values()].filter(({ qos, isLeaving }) => qos === 2 && !isLeaving);
    const change: PacketChange = { kind: 'lost' };
    for (const packet of lost) this.#end(packet, change, () => undefined);
    return lost.map(({ id }) => id);
  }

  put(packet: Packet, done: Done): this {
    if (packet.cmd === 'publish') this.#putPublish(packet, done);
    else if (packet.cmd === 'pubrel') this.#putRelease(packet.messageId ?? 0, done);
    return this;
  }

  del({ messageId }: { messageId?: number | undefined }, done: Deleted): this {
    const packet = this.#packets.get(messageId ?? 0);
    if (packet === undefined || packet.isLeaving) return this;
    const reasonCode = this.#refusals.get(packet.id);
    this.#refusals.delete(packet.id);
    this.#end(packet, this.#endOf(packet, reasonCode), done);
    return this;
  }

  /** For the replay. */
  createStream(): ReturnType<IStore['createStream']> {
    return Readable.from(this.#unfinished()) as unknown as ReturnType<IStore['createStream']>;
  }

  /** In the order in which they were sent first, and none before it is stored as it is sent. */
  async *#unfinished(): AsyncGenerator<Packet> {
    await this.#storing;
    const unfinished = [...this.#packets.values()].filter(({ isLeaving }) => !isLeaving);
    yield* unfinished.sort((left, right) => left.sequence - right.sequence).map(packetOf);
  }

  /** Never called by MQTT.js for outgoing packets. */
  get({ messageId }: { messageId?: number | undefined }, done: Deleted): this {
    const packet = this.#packets.get(messageId ?? 0);
    if (packet === undefined) done(new Error('missing packet'));
    else done(undefined, packetOf(packet));
    return this;
  }

  /** The store is others' too. */
  close(done: Done): void {
    done();
  }

  #putPublish(packet: IPublishPacket, done: Done): void {
    const { messageId: id = 0, topic, payload, qos } = packet;
    const publishing = this.#takePublishing();
    if (publishing === undefined) throw new Error('a packet that nobody has published');
    const { message, expires } = publishing;
    const known: KnownPacket = {
      id,
      message,
      qos: qos === 1 ? 1 : 2,
      publish: { topic, payload: payload.toString() },
      ...(expires !== undefined && { expires }),
      sequence: this.#next++,
      isLeaving: false,
    };
    this.#packets.set(id, known);
    this.#change(known, { kind: 'sent' }, this.#operation(known), done);
  }

  #putRelease(id: number, done: Done): void {
    const packet = this.#packets.get(id);
    if (packet === undefined || packet.isLeaving) return;
    packet.releasedOn = this.#connection;
    delete packet.publish;
    this.#change(packet, { kind: 'released' }, this.#operation(packet), done);
  }

  #endOf(packet: KnownPacket, reasonCode: number | undefined): PacketChange {
    const isRepeated = packet.publish === undefined && packet.releasedOn !== this.#connection;
    if (reasonCode === undefined) return { kind: 'finished', isRepeated };
    if (packet.publish !== undefined || reasonCode !== PACKET_ID_NOT_FOUND) return { kind: 'refused', reasonCode };
    // MQTT 5 section 3.7.2.1: no error where a PUBREL was repeated after a reconnect; the first time, the broker lost it.
    return isRepeated ? { kind: 'finished', isRepeated } : { kind: 'lost' };
  }

  #end(packet: KnownPacket, change: PacketChange, done: Deleted): void {
    packet.isLeaving = true;
    const operation: StoreOperation = { type: 'del', key: this.#key(packet) };
    this.#commit(packet, change, operation, () => {
      this.#packets.delete(packet.id);
      done(undefined, packetOf(packet));
    });
  }

  /** The fence: calls back only while the connection is the one on which it was asked for. */
  #change(packet: KnownPacket, change: PacketChange, operation: StoreOperation, done: Done): void {
    const connection = this.#connection;
    this.#commit(packet, change, operation, () => {
      if (connection === this.#connection) done();
    });
  }

  #commit(packet: KnownPacket, change: PacketChange, operation: StoreOperation, stored: () => void): void {
    const operations = [operation, ...this.#owner.changing(packet.message, change)];
    this.#storing = this.#store.batch(operations, { sync: true }).then(() => {
      stored();
      this.#owner.changed(packet.message, change);
    });
    this.#storing.catch(this.#failed);
  }

  #operation(packet: KnownPacket): StoreOperation {
    const { id, message, qos, publish, expires } = packet;
    const record: PacketRecord = {
      id,
      message,
      qos,
      ...(publish && { publish, ...(expires !== undefined && { expires }) }),
    };
    return { type: 'put', key: this.#key(packet), value: Buffer.from(JSON.stringify(record)) };
  }

  #key({ sequence }: KnownPacket): string {
    return numberedKey(this.#prefix, sequence);
  }
}

/** Undefined for what no release has written; its message is then found not to be in flight. */
export function decodePacket(value: Buffer): PacketRecord | undefined {
  try {
    const record = JSON.parse(value.toString()) as Partial<PacketRecord> | null;
    return typeof record?.id === 'number' && typeof record.message === 'string' ? (record as PacketRecord) : undefined;
  } catch {
    return undefined; // damaged
  }
}

function packetOf({ id, qos, publish, expires }: PacketRecord): Packet {
  if (publish === undefined) return { cmd: 'pubrel', messageId: id };
  // MQTT.js never sets DUP by itself; MQTT 5 section 3.3.1.1 wants it on whatever is sent again.
  return { cmd: 'publish', messageId: id, qos, dup: true, retain: false, ...publish, ...expiryOf(expires) };
}

/** What is left of it now. MQTT.js leaves it out where the protocol has none. */
function expiryOf(expires: number | undefined): Pick<IPublishPacket, 'properties'> {
  if (expires === undefined) return {};
  return { properties: { messageExpiryInterval: Math.max(1, Math.ceil((expires - Date.now()) / 1000)) } };
}
