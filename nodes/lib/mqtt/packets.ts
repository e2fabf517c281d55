import { Readable } from 'node:stream';
import type { IPublishPacket, IStore, MqttClient } from 'mqtt';
import { numberedKey, outboxPrefix, prefixRange, sequenceOf } from '../store/keys';
import type { Store, StoreOperation } from '../store/store';
import {
  decodePacket,
  encodePacket,
  expiryOf,
  packetOf,
  sizeOf,
  type Packet,
  type PacketRecord,
} from './packet-record';
import { FAILURE, PACKET_ID_IN_USE, PACKET_ID_NOT_FOUND, refusalOf } from './refusal';

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
  /** nobody knows whether the broker has passed it on, and it never will be */
  | { kind: 'lost'; reason: string }
  /** the same, and sent again it would do the same harm */
  | { kind: 'withdrawn'; reason: string };

/** Whose packets these are. */
export interface PacketOwner {
  /** The packet changes: returns what belongs into the same batch. */
  changing(message: string, change: PacketChange): StoreOperation[];
  /** The batch is in the store. */
  changed(message: string, change: PacketChange): void;
  /** Whether the message is still to be sent. */
  isWanted(message: string): boolean;
}

interface KnownPacket extends PacketRecord {
  sequence: number;
  /** The connection on which it was sent first; none for one that was found in the store. */
  sentOn?: number;
  /** The connection on which it was released; none for one that was found in the store. */
  releasedOn?: number;
  /** Its end is on the way to the store. */
  isLeaving: boolean;
}

type Done = (error?: Error) => void;
type Deleted = Parameters<IStore['del']>[1];

const OTHER_SESSION =
  'it was sent to another broker, or under another client id: that one may have passed it on, or not';

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
  #session = '';
  /** The replay waits for this. */
  #held: Promise<void> = Promise.resolve();
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
        if (record === undefined) await store.putAsideBody(key, value);
        else packets.#packets.set(record.id, { ...record, sequence, isLeaving: false });
        packets.#next = sequence + 1;
      }
    }
    return packets;
  }

  /**
   * Says which session these packets are sent in. Those of another one are lost: this broker does not know them. At QoS 1
   * they may be sent twice, and stay.
   *
   * @param session - the same as long as address and client id are
   */
  belongTo(session: string): void {
    this.#session = session;
    this.#lose((packet) => packet.qos === 2 && packet.session !== session, { kind: 'lost', reason: OTHER_SESSION });
  }

  get size(): number {
    return this.#packets.size;
  }

  has(id: number): boolean {
    return this.#packets.has(id);
  }

  /** Whether a packet at QoS 2 is unfinished. */
  get holdsQoS2(): boolean {
    return [...this.#packets.values()].some(({ qos, isLeaving }) => qos === 2 && !isLeaving);
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

  /** The broker would not take this message: its owner hears that, and it is not sent. */
  refuse(message: string, reasonCode: number): void {
    this.#commit(message, { kind: 'refused', reasonCode }, [], () => undefined);
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

  /** The replay on this connection waits until this has resolved. */
  holdBack(until: Promise<void>): void {
    this.#held = until;
  }

  /**
   * The broker has no session in which it knows these packets: what it was to finish at QoS 2 it will not, and a replay
   * would be taken as new or, worse, be confirmed without being known. QoS 1 may be sent twice, and stays.
   *
   * @returns the ids of the packets that are given up
   */
  loseSession(reason: string): number[] {
    return this.#lose(({ qos }) => qos === 2, { kind: 'lost', reason });
  }

  /**
   * What may not be sent again; returns the ids.
   *
   * @param largest - bytes of a packet that the broker takes
   */
  withdrawLarger(largest: number): number[] {
    const reason = `the broker takes no packet of more than ${largest} bytes now: it may have passed it on before, or not`;
    return this.#lose(({ publish }) => publish !== undefined && largest < sizeOf(publish), {
      kind: 'withdrawn',
      reason,
    });
  }

  /**
   * What nobody wants sent again: its message has come to its end, or another has taken its place. What the broker is
   * told to pass on is finished all the same: it may have passed it on, and half an exchange would count against its limit.
   *
   * @returns the ids
   */
  withdrawUnwanted(): number[] {
    const reason = 'its message has come to its end';
    return this.#lose(({ publish, message }) => publish !== undefined && !this.#owner.isWanted(message), {
      kind: 'withdrawn',
      reason,
    });
  }

  /** Gives a packet up; returns the topic, if that was to be sent. */
  withdraw(id: number, reason: string): string | undefined {
    const topic = this.#packets.get(id)?.publish?.topic;
    this.#lose((packet) => packet.id === id, { kind: 'withdrawn', reason });
    return topic;
  }

  #lose(isMeant: (packet: KnownPacket) => boolean, change: PacketChange): number[] {
    const lost = [...this.#packets.values()].filter((packet) => !packet.isLeaving && isMeant(packet));
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
    await this.#held;
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

  /** The store was repaired, and may have lost some: what is in memory is right. */
  putAgain(): void {
    const operations = [...this.#packets.values()]
      .filter(({ isLeaving }) => !isLeaving)
      .map((packet) => this.#operation(packet));
    this.#storing = this.#store.batch(operations, { sync: true });
    this.#storing.catch(this.#failed);
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
      session: this.#session,
      publish: { topic, payload: payload.toString(), ...(expires !== undefined && { expires }) },
      sequence: this.#next++,
      sentOn: this.#connection,
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
    if (packet.publish !== undefined) return this.#refusal(packet, reasonCode);
    // MQTT 5 section 3.7.2.1: no error where a PUBREL was repeated after a reconnect; the first time, the broker lost it.
    if (reasonCode === PACKET_ID_NOT_FOUND && isRepeated) return { kind: 'finished', isRepeated };
    return { kind: 'lost', reason: `${refusalOf(reasonCode).reason}, after it had taken it` };
  }

  /** A broker that refuses the second copy may have taken the first. That its id is in use may mean just that. */
  #refusal({ qos, sentOn }: KnownPacket, reasonCode: number): PacketChange {
    const isFirst = qos === 1 || sentOn === this.#connection;
    if (isFirst && reasonCode !== PACKET_ID_IN_USE) return { kind: 'refused', reasonCode };
    return {
      kind: 'lost',
      reason: `${refusalOf(reasonCode).reason}; it may have passed on what was sent before, or not`,
    };
  }

  #end(packet: KnownPacket, change: PacketChange, done: Deleted): void {
    packet.isLeaving = true;
    this.#commit(packet.message, change, [{ type: 'del', key: this.#key(packet) }], () => {
      this.#packets.delete(packet.id);
      done(undefined, packetOf(packet));
    });
  }

  /** The fence: calls back only while the connection is the one on which it was asked for. */
  #change(packet: KnownPacket, change: PacketChange, operation: StoreOperation, done: Done): void {
    const connection = this.#connection;
    this.#commit(packet.message, change, [operation], () => {
      if (connection === this.#connection) done();
    });
  }

  #commit(message: string, change: PacketChange, operations: StoreOperation[], stored: () => void): void {
    const all = [...operations, ...this.#owner.changing(message, change)];
    this.#storing = this.#store.batch(all, { sync: true }).then(() => {
      stored();
      this.#owner.changed(message, change);
    });
    this.#storing.catch(this.#failed);
  }

  #operation(packet: KnownPacket): StoreOperation {
    return { type: 'put', key: this.#key(packet), value: encodePacket(packet) };
  }

  #key({ sequence }: KnownPacket): string {
    return numberedKey(this.#prefix, sequence);
  }
}
