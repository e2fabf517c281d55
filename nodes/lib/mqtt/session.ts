import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { PackError } from '../errors';
import { connectionWords, NO_ANSWER } from './connection-words';
import { Culprits } from './culprit';
import { PacketIds } from './packet-ids';
import { limitPackets, MAXIMUM_PACKET_SIZE } from './packet-limit';
import { sizeOf } from './packet-record';
import type { Packets } from './packets';
import { PACKET_TOO_LARGE } from './refusal';
import { isUnheard, SessionProof } from './session-proof';
import { TakeoverDetector } from './takeover';
import { Unsent } from './unsent';

/** How a broker is reached: what the core `mqtt-broker` node is configured with, without its client id, session and will. */
export interface BrokerAddress {
  /** Such as `mqtts://broker:8883`. */
  url: string;
  options: IClientOptions;
}

export type SessionState =
  | { state: 'connecting' }
  | { state: 'connected' }
  /** it is being tried again; the reason is for the operator */
  | { state: 'trouble'; reason: string }
  /** another client uses this client id; after a while it is tried again */
  | { state: 'taken-over' };

export interface SessionListener {
  /** Connected and replayed: packets may be published. */
  ready(): void;
  /** A message of a subscription; the broker forgets it when this has resolved. */
  received(packet: IPublishPacket): Promise<void>;
  changed(state: SessionState): void;
  /** The broker will not give us these topics. */
  notSubscribed(filters: string[], reason: string): void;
  /** The broker does not let us prove with this topic that it has kept the session. */
  notProven(topic: string, reason: string): void;
}

/** mosquitto confirms what it has dropped above its limit, 20 by default, and MQTT 3.1.1 cannot tell. */
const WINDOW = 10;
/** Milliseconds without an answer: MQTT.js waits for ever if one replayed packet is never answered. */
const REPLAY_TIMEOUT = 30_000;
const RETRY_AFTER_TAKEOVER = 60_000;
/** Seconds for which an MQTT 5 broker keeps the session: longer than any outage that an action could outlive. */
const SESSION_EXPIRY = 7 * 86_400;

const FORGOTTEN = 'the broker has forgotten the session: it may have passed it on, or not';
const NOT_PROVEN = 'nobody knows whether the broker has kept the session: it may have passed it on, or not';
const CLOSES = 'the broker closes the connection whenever it is sent, or does not answer: it may have taken it, or not';
/** What may be blamed beside packets, which go by their ids. */
const PROOF = 'proof';

/**
 * One durable session at a broker: a client id of its own, clean start never, and a replay of what the broker has not
 * finished before anything new.
 */
export class Session {
  readonly #broker: BrokerAddress;
  readonly #clientId: string;
  readonly #packets: Packets;
  readonly #listener: SessionListener;
  readonly #takeover = new TakeoverDetector();
  readonly #culprits = new Culprits();
  readonly #proof: SessionProof;
  readonly #unsent = new Unsent();
  #client: MqttClient;
  #filters: readonly string[] = [];
  /** The broker has accepted the connection. */
  #hasAnswered = false;
  /** Connected, and all is sent again that had to be. */
  #isReady = false;
  #isClosed = false;
  /** A CONNECT may have been taken whose answer has not come, or was not stored: by this process, or the one before. */
  #isDoubtful = true;
  /** This attempt to connect has failed before the broker could hear of it. */
  #isUnheard = false;
  /** Subscribed to the topic of the proof, on this connection. */
  #isMarked = false;
  /** Whether the broker bears the proof. */
  #isProvable = true;
  #hasSaidSo = false;
  /** It was we who ended the connection, as nothing was answered. */
  #hasWaited = false;
  #window = WINDOW;
  /** Bytes of the largest packet that the broker takes. */
  #largest = Infinity;
  #state: SessionState = { state: 'connecting' };
  #replayTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(broker: BrokerAddress, clientId: string, packets: Packets, listener: SessionListener) {
    this.#broker = broker;
    this.#clientId = clientId;
    this.#packets = packets;
    this.#listener = listener;
    this.#proof = new SessionProof(clientId);
    packets.belongTo(`${clientId}@${broker.url}`);
    this.#client = this.#connect();
  }

  get state(): SessionState {
    return this.#state;
  }

  /** How many packets may be published now. */
  get room(): number {
    return this.#isReady ? Math.max(0, this.#window - this.#packets.size) : 0;
  }

  /**
   * Publishes at QoS 1 or 2; the packets' owner hears what becomes of it. False: not now.
   *
   * @param expiresIn - seconds, more than 0, after which the broker is not to deliver it any more (MQTT 5 only)
   */
  publish(message: string, topic: string, payload: string, qos: 1 | 2, expiresIn?: number): boolean {
    if (this.room === 0) return false;
    if (this.#isTooLarge(topic, payload, expiresIn)) {
      this.#packets.refuse(message, PACKET_TOO_LARGE);
      return true;
    }
    if (qos === 2) this.#mark();
    return this.#packets.publish(this.#client, message, topic, payload, qos, expiresIn);
  }

  #isTooLarge(topic: string, payload: string, expires?: number): boolean {
    return sizeOf({ topic, payload, ...(expires !== undefined && { expires }) }) > this.#largest;
  }

  /**
   * Publishes at QoS 0: resolves when it has left.
   *
   * @throws PackError `broker-unavailable`
   */
  async publishOnce(topic: string, payload: string): Promise<void> {
    if (!this.#isReady) throw new PackError('broker-unavailable', this.#reason());
    if (this.#isTooLarge(topic, payload)) {
      throw new PackError('broker-unavailable', `The broker takes no packet of more than ${this.#largest} bytes`);
    }
    await this.#unsent.publish(this.#client, topic, payload);
  }

  /** Subscribes to these topic filters, now and after every connect. */
  subscribe(filters: readonly string[]): void {
    const gone = this.#filters.filter((filter) => !filters.includes(filter));
    this.#filters = filters;
    if (!this.#isReady) return;
    if (gone.length > 0) this.#client.unsubscribe(gone, () => undefined);
    this.#subscribe();
  }

  /** Ends the connection. The broker keeps the session, and the store what is unfinished. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isReady = false;
    clearTimeout(this.#replayTimer);
    clearTimeout(this.#retryTimer);
    await this.#client.endAsync(true);
  }

  #connect(): MqttClient {
    const { url, options } = this.#broker;
    const isVersion5 = options.protocolVersion === 5;
    const client = connect(url, {
      ...options,
      clientId: this.#clientId,
      clean: false,
      ...(isVersion5 && {
        properties: {
          ...options.properties,
          sessionExpiryInterval: SESSION_EXPIRY,
          maximumPacketSize: MAXIMUM_PACKET_SIZE,
        },
      }),
      outgoingStore: this.#packets,
      messageIdProvider: new PacketIds((id) => this.#packets.has(id)),
      // Its own list of topics would be subscribed to only where the session was lost.
      resubscribe: false,
      queueQoSZero: false,
      reconnectOnConnackError: true,
    });
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'connack') this.#connackReceived(client, packet);
      else if (packet.cmd === 'pingresp') this.#proof.pinged();
      else if (packet.cmd === 'publish' && packet.topic === this.#proof.topic) this.#proof.received(packet.payload);
      else if (packet.cmd === 'puback' || packet.cmd === 'pubrec' || packet.cmd === 'pubcomp') {
        this.#packets.answered(packet.messageId, packet.reasonCode);
        this.#culprits.answered(packet.messageId);
        if (!this.#isReady) this.#awaitReplay();
      }
    });
    client.on('packetsend', (packet) => {
      // The first on each connection, and nothing has come in by it yet.
      if (packet.cmd === 'connect') limitPackets(client.stream, isVersion5);
      // One at a time: the proof, which has no id, and then the replay.
      if (this.#isReady || (packet.cmd !== 'publish' && packet.cmd !== 'pubrel')) return;
      this.#culprits.sent(packet.messageId || PROOF, Date.now());
    });
    client.on('connect', () => this.#connected());
    client.on('disconnect', ({ reasonCode }) => {
      if (this.#takeover.disconnected(reasonCode)) this.#takenOver();
    });
    client.on('error', (error) => {
      this.#takeover.error();
      this.#isUnheard ||= isUnheard(error);
      this.#setState({ state: 'trouble', reason: connectionWords(error, this.#hasAnswered) });
    });
    client.on('close', () => this.#disconnected());
    client.handleMessage = (packet, done) => {
      const { stream } = client;
      if (packet.topic === this.#proof.topic) {
        done();
        return;
      }
      // Not on another connection: there the id may mean another message. And not when it could not be stored.
      this.#listener.received(packet).then(
        () => {
          if (client.stream === stream) done();
        },
        () => stream.destroy(),
      );
    };
    return client;
  }

  /** Runs before MQTT.js sees the packet, hence before the replay. */
  #connackReceived(client: MqttClient, { sessionPresent, returnCode, reasonCode, properties }: ConnackPacket): void {
    this.#hasAnswered = true;
    if ((reasonCode ?? returnCode ?? 0) !== 0) return;
    this.#window = Math.max(1, Math.min(WINDOW, Math.floor((properties?.receiveMaximum ?? Infinity) / 2)));
    this.#largest = properties?.maximumPacketSize ?? Infinity;
    if (sessionPresent && this.#isDoubtful && this.#packets.holdsQoS2) this.#packets.holdBack(this.#prove(client));
    else {
      if (!sessionPresent) this.#loseSession(client, FORGOTTEN);
      this.#isDoubtful = false;
    }
    drop(client, this.#packets.withdrawLarger(this.#largest));
    drop(client, this.#packets.withdrawUnwanted());
    this.#awaitReplay();
  }

  async #prove(client: MqttClient): Promise<void> {
    // MQTT.js takes packets to send only once it has seen the CONNACK itself.
    await Promise.resolve();
    const isKnown = this.#isProvable && (await this.#proof.ask(client));
    if (isKnown === undefined) return;
    this.#culprits.answered(PROOF);
    this.#isDoubtful = false;
    if (!isKnown) this.#loseSession(client, NOT_PROVEN);
  }

  #loseSession(client: MqttClient, reason: string): void {
    drop(client, this.#packets.loseSession(reason));
  }

  /** Before the first packet at QoS 2 on a connection: what was sent on earlier ones is finished then, or given up. */
  #mark(): void {
    if (this.#isMarked || !this.#isProvable) return;
    this.#isMarked = true;
    const client = this.#client;
    this.#culprits.sent(PROOF, Date.now());
    client.subscribe(this.#proof.topic, { qos: 0 }, (error, _granted, suback) => {
      if (suback === undefined) return;
      this.#culprits.answered(PROOF);
      if (error) this.#notProven(error.message);
    });
  }

  #notProven(reason: string): void {
    if (!this.#hasSaidSo) this.#listener.notProven(this.#proof.topic, reason);
    this.#hasSaidSo = true;
  }

  #awaitReplay(): void {
    clearTimeout(this.#replayTimer);
    this.#replayTimer = setTimeout(() => {
      this.#setState({ state: 'trouble', reason: 'The broker does not answer to what was sent again' });
      this.#hasWaited = true;
      this.#client.stream.destroy();
    }, REPLAY_TIMEOUT);
  }

  #connected(): void {
    clearTimeout(this.#replayTimer);
    this.#takeover.connected(Date.now());
    this.#isReady = !this.#isClosed;
    this.#setState({ state: 'connected' });
    this.#subscribe();
    this.#listener.ready();
  }

  #disconnected(): void {
    clearTimeout(this.#replayTimer);
    const wasReady = this.#isReady;
    const hasAnswered = this.#hasAnswered;
    this.#isDoubtful ||= !hasAnswered && !this.#isUnheard;
    const culprit = this.#culprits.ended(Date.now(), this.#hasWaited);
    this.#isReady = this.#hasAnswered = this.#isUnheard = this.#isMarked = this.#hasWaited = false;
    this.#packets.disconnected();
    this.#proof.disconnected();
    this.#unsent.disconnected();
    if (this.#isClosed || this.#state.state === 'taken-over') return;
    if (wasReady && this.#takeover.closed(Date.now())) this.#takenOver();
    else if (this.#state.state === 'connected') this.#setState({ state: 'connecting' });
    else if (!hasAnswered && this.#state.state === 'connecting')
      this.#setState({ state: 'trouble', reason: NO_ANSWER });
    if (culprit !== undefined) this.#withdraw(culprit);
  }

  /** What the broker will not have would hold up all others for ever. */
  #withdraw(culprit: string | number): void {
    if (typeof culprit === 'string') {
      this.#isProvable = false;
      this.#notProven('it closes the connection');
      return;
    }
    const topic = this.#packets.withdraw(culprit, CLOSES);
    drop(this.#client, [culprit]);
    const what = topic === undefined ? 'a message' : `the message to ${topic}`;
    this.#setState({ state: 'trouble', reason: `The broker breaks off whenever ${what} is sent: it was given up` });
  }

  /** To connect again at once would only drive the other client off, which then does the same. */
  #takenOver(): void {
    if (this.#isClosed || this.#state.state === 'taken-over') return;
    this.#isReady = false;
    this.#setState({ state: 'taken-over' });
    this.#client.end(true);
    this.#retryTimer = setTimeout(() => {
      this.#takeover.startAgain();
      this.#setState({ state: 'connecting' });
      this.#client = this.#connect();
    }, RETRY_AFTER_TAKEOVER);
  }

  #subscribe(): void {
    const filters = [...this.#filters];
    if (filters.length === 0) return;
    const client = this.#client;
    client.subscribe(filters, { qos: 1 }, (error, granted) => {
      if (!error || !client.connected) return;
      const refused = (granted ?? []).filter(({ qos }) => qos >= 128).map(({ topic }) => topic);
      this.#listener.notSubscribed(refused.length > 0 ? refused : filters, error.message);
    });
  }

  #setState(state: SessionState): void {
    if (this.#isClosed) return;
    this.#state = state;
    this.#listener.changed(state);
  }

  #reason(): string {
    return this.#state.state === 'trouble' ? this.#state.reason : 'There is no connection to the broker';
  }
}

/** MQTT.js forgets the packets of these ids. */
function drop({ outgoing }: MqttClient, ids: readonly number[]): void {
  for (const id of ids) Reflect.deleteProperty(outgoing, id);
}

interface ConnackPacket {
  sessionPresent: boolean;
  returnCode?: number;
  reasonCode?: number;
  properties?: { receiveMaximum?: number; maximumPacketSize?: number };
}
