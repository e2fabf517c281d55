import type { MqttClient } from 'mqtt';
import { PackError } from '../errors';

/** Bytes that may wait for the network: what comes faster than it can leave would fill the memory. */
const MOST = 8 * 1024 * 1024;

interface Waiting {
  resolve: () => void;
  reject: (error: PackError) => void;
}

/** Messages at QoS 0 that wait for the network. MQTT.js never calls back for them when the connection ends. */
export class Unsent {
  readonly #waiting = new Set<Waiting>();

  /**
   * Resolves when the message has left.
   *
   * @throws PackError `broker-unavailable`
   */
  async publish(client: MqttClient, topic: string, payload: string): Promise<void> {
    const { stream } = client;
    if (stream.writableLength > MOST) {
      throw new PackError(
        'broker-unavailable',
        'The broker, or the network, does not take messages as fast as they come',
      );
    }
    client.publish(topic, payload, { qos: 0, retain: false });
    if (!stream.writableNeedDrain) return;
    if (this.#waiting.size === 0) stream.once('drain', () => this.#settle(({ resolve }) => resolve()));
    await new Promise<void>((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  /** The connection has ended. */
  disconnected(): void {
    const error = new PackError('broker-unavailable', 'The connection to the broker has ended before it was sent');
    this.#settle(({ reject }) => reject(error));
  }

  #settle(how: (waiting: Waiting) => void): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    all.forEach(how);
  }
}
