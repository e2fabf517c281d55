/** MQTT 5 section 3.14.2.1: the broker has given the session to another client. */
const SESSION_TAKEN_OVER = 142;

const WINDOW = 60_000;
const QUICK = 10_000;
const ENOUGH = 4;

/**
 * Tells when another client uses the same client id. A broker then closes the older connection, each side connects again,
 * and this would go on for ever. Few brokers say so; else it is seen by connections that end soon after they began,
 * again and again, with no error in between.
 */
export class TakeoverDetector {
  #connectedAt = -Infinity;
  #quickCloses: number[] = [];
  #onProbation = false;

  connected(now: number): void {
    this.#connectedAt = now;
  }

  /** A network that breaks, a broker that restarts: whatever has a cause of its own is no takeover. */
  error(): void {
    this.#quickCloses = [];
    this.#connectedAt = -Infinity;
  }

  /** Whether this was a takeover. */
  closed(now: number): boolean {
    const wasQuick = now - this.#connectedAt < QUICK;
    this.#connectedAt = -Infinity;
    if (!wasQuick) return false;
    this.#quickCloses = [...this.#quickCloses.filter((at) => now - at < WINDOW), now];
    return this.#quickCloses.length >= (this.#onProbation ? 1 : ENOUGH);
  }

  /** Whether a DISCONNECT of the broker says so. */
  disconnected(reasonCode: number | undefined): boolean {
    return reasonCode === SESSION_TAKEN_OVER;
  }

  /** After a takeover was seen: one more such connection is enough. */
  startAgain(): void {
    this.#quickCloses = [];
    this.#onProbation = true;
  }
}
