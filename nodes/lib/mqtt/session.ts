import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { PackError } from '../errors';
import { connectionWords, NO_ANSWER } from './connection-words';
import { PacketIds } from './packet-ids';
import type { Packets } from './packets';
import { TakeoverDetector } from './takeover';

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
}

/** mosquitto confirms what it has dropped above its limit, 20 by default, and MQTT 3.1.1 cannot tell. */
const WINDOW = 10;
/** MQTT.js waits for ever if one replayed packet is never answered. */
const REPLAY_TIMEOUT = 30_000;
const RETRY_AFTER_TAKEOVER = 60_000;
/** Seconds for which an MQTT 5 broker keeps the session: longer than any outage that an action could outlive. */
const SESSION_EXPIRY = 7 * 86_400;

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
  #client: MqttClient;
  #filters: readonly string[] = [];
  /** The broker has accepted the connection. */
  #hasAnswered = false;
  /** Connected, and all is sent again that had to be. */
  #isReady = false;
  #isClosed = false;
  #window = WINDOW;
  #state: SessionState = { state: 'connecting' };
  #replayTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(broker: BrokerAddress, clientId: string, packets: Packets, listener: SessionListener) {
    this.#broker = broker;
    this.#clientId = clientId;
    this.#packets = packets;
    this.#listener = listener;
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
    return this.room > 0 && this.#packets.publish(this.#client, message, topic, payload, qos, expiresIn);
  }

  /**
   * Publishes at QoS 0: resolves when it has left.
   *
   * @throws PackError `broker-unavailable`
   */
  async publishOnce(topic: string, payload: string): Promise<void> {
    if (!this.#isReady) throw new PackError('broker-unavailable', this.#reason());
    try {
      await this.#client.publishAsync(topic, payload, { qos: 0, retain: false });
    } catch (error) {
      throw new PackError('broker-unavailable', connectionWords(error, true), { cause: error });
    }
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
      ...(isVersion5 && { properties: { ...options.properties, sessionExpiryInterval: SESSION_EXPIRY } }),
      outgoingStore: this.#packets,
      messageIdProvider: new PacketIds((id) => this.#packets.has(id)),
      // Its own list of topics would be subscribed to only where the session was lost.
      resubscribe: false,
      queueQoSZero: false,
      reconnectOnConnackError: true,
    });
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'connack') this.#connackReceived(client, packet);
      else if (packet.cmd === 'puback' || packet.cmd === 'pubrec' || packet.cmd === 'pubcomp') {
        this.#packets.answered(packet.messageId, packet.reasonCode);
      }
    });
    client.on('connect', () => this.#connected());
    client.on('disconnect', ({ reasonCode }) => {
      if (this.#takeover.disconnected(reasonCode)) this.#takenOver();
    });
    client.on('error', (error) => {
      this.#takeover.error();
      this.#setState({ state: 'trouble', reason: connectionWords(error, this.#hasAnswered) });
    });
    client.on('close', () => this.#disconnected());
    client.handleMessage = (packet, done) => {
      const { stream } = client;
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
    if (!sessionPresent) for (const id of this.#packets.loseSession()) Reflect.deleteProperty(client.outgoing, id);
    this.#window = Math.max(1, Math.min(WINDOW, Math.floor((properties?.receiveMaximum ?? Infinity) / 2)));
    clearTimeout(this.#replayTimer);
    this.#replayTimer = setTimeout(() => {
      this.#setState({ state: 'trouble', reason: 'The broker does not answer to what was sent again' });
      client.stream.destroy();
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
    this.#isReady = false;
    this.#hasAnswered = false;
    this.#packets.disconnected();
    if (this.#isClosed || this.#state.state === 'taken-over') return;
    if (wasReady && this.#takeover.closed(Date.now())) this.#takenOver();
    else if (this.#state.state === 'connected') this.#setState({ state: 'connecting' });
    else if (!hasAnswered && this.#state.state === 'connecting')
      this.#setState({ state: 'trouble', reason: NO_ANSWER });
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

interface ConnackPacket {
  sessionPresent: boolean;
  returnCode?: number;
  reasonCode?: number;
  properties?: { receiveMaximum?: number };
}
