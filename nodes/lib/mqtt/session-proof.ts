import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';

/** Milliseconds after the broker has answered to something later, until a message that has not come back will not come. */
const GRACE = 1000;

/**
 * Tells whether a session that the broker has is the one in which packets were sent. "Session present" alone does not: a
 * broker that has lost the session makes a new one for the next CONNECT, and if its answer is lost too, it has one for the
 * CONNECT after that. mosquitto then confirms packets that it has never seen.
 *
 * What a session keeps are its subscriptions. So each has one to a topic of its own, made before the first packet at QoS 2 is
 * sent in it; a message to that topic comes back in that session, and in no other.
 */
export class SessionProof {
  readonly topic: string;
  #asked: { text: string; resolve: (isKnown: boolean | undefined) => void } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(clientId: string) {
    this.topic = `mqtt2influx/${clientId}`;
  }

  get isAsked(): boolean {
    return this.#asked !== undefined;
  }

  /** Asks. Resolves with undefined when the connection ends before that is known. */
  ask(client: MqttClient): Promise<boolean | undefined> {
    return new Promise((resolve) => {
      const text = randomBytes(8).toString('hex');
      this.#asked = { text, resolve };
      client.publish(this.topic, text, { qos: 0, retain: false });
      client.sendPing();
    });
  }

  /** A message on its topic. */
  received(payload: Buffer | string): void {
    // Whoever may write there can send anything: by its length first.
    const { text } = this.#asked ?? {};
    if (payload.length === text?.length && payload.toString() === text) this.#answer(true);
  }

  /** The broker answers the ping, and so has taken what was sent before it. */
  pinged(): void {
    if (this.#asked && this.#timer === undefined) this.#timer = setTimeout(() => this.#answer(false), GRACE);
  }

  /** The connection has ended. */
  disconnected(): void {
    this.#answer(undefined);
  }

  #answer(isKnown: boolean | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.resolve(isKnown);
  }
}

/** Whether an attempt to connect ended so early that the broker cannot have heard of it. */
export function isUnheard(error: unknown): boolean {
  // With several addresses for a name, Node.js reports one error for all of them.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const call = first instanceof Error && 'syscall' in first ? first.syscall : undefined;
  return call === 'connect' || call === 'getaddrinfo';
}
