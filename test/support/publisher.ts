import { readFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { atEndOfFile } from './cleanup';

export interface Outgoing {
  topic: string;
  payload: string | Buffer;
}

export interface LoadOptions {
  /** Messages a second. */
  rate: number;
  /** The `index`th message, from 0. */
  make: (index: number) => Outgoing;
  /** Ends by itself after so many messages; default: goes on until stopped. */
  count?: number;
  qos?: 0 | 1;
}

export interface Load {
  /** Messages handed to the broker so far. */
  sent(): number;
  /** Stops and resolves with the number sent, when the last of them has left. */
  stop(): Promise<number>;
  /** Resolves with the number sent when `count` has been reached. */
  readonly finished: Promise<number>;
}

export interface Publisher {
  /** Resolves when it has left (QoS 0) or the broker has acknowledged it (QoS 1). */
  publish(topic: string, payload: string | Buffer, options?: { qos?: 0 | 1 | 2; retain?: boolean }): Promise<void>;
  /** Publishes at a steady rate. Falls behind only when the machine does, and then says so by `sent()`. */
  load(options: LoadOptions): Load;
  end(): Promise<void>;
}

const TICK = 10;
const MOST_IN_A_TICK = 2000;

/** An MQTT client of its own connection; ended when the test file ends. */
export async function startPublisher(
  url: string,
  options: { authority?: string; protocolVersion?: 4 | 5 } = {},
): Promise<Publisher> {
  const client = await connectAsync(url, {
    protocolVersion: options.protocolVersion ?? 4,
    reconnectPeriod: 200,
    ...(options.authority !== undefined && { ca: readFileSync(options.authority) }),
  });
  // It connects again by itself while a test restarts the broker.
  client.on('error', () => client.connected);
  const end = (): Promise<void> => client.endAsync(true);
  atEndOfFile(end);
  return {
    async publish(topic, payload, { qos = 0, retain = false } = {}) {
      await client.publishAsync(topic, payload, { qos, retain });
    },
    load({ rate, make, count = Infinity, qos = 0 }) {
      const started = performance.now();
      const unfinished = new Set<Promise<unknown>>();
      let sent = 0;
      let finish: (sent: number) => void;
      let fail: (reason: unknown) => void;
      const finished = new Promise<number>((resolve, reject) => {
        finish = resolve;
        fail = reject;
      });
      // A test that has failed does not wait for its load.
      finished.catch(() => undefined);
      const settle = (): void => {
        clearInterval(timer);
        Promise.all(unfinished).then(() => finish(sent), fail);
      };
      const timer = setInterval(() => {
        const due = Math.min(((performance.now() - started) / 1000) * rate - sent, MOST_IN_A_TICK, count - sent);
        for (let behind = due; behind >= 1; behind--) {
          const { topic, payload } = make(sent++);
          const publication = client.publishAsync(topic, payload, { qos });
          unfinished.add(publication);
          publication.then(
            () => unfinished.delete(publication),
            (error: unknown) => fail(error),
          );
        }
        if (sent >= count) settle();
      }, TICK);
      return {
        sent: () => sent,
        finished,
        stop() {
          settle();
          return finished;
        },
      };
    },
    end,
  };
}
