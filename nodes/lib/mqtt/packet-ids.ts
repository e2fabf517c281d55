/** Ids go round in a range this small, so that one that the broker holds half open after a crash is soon used again. */
export const LARGEST_PACKET_ID = 128;

/**
 * Gives packets their ids. It asks the store which are taken: MQTT.js's own providers know only of this connection, and
 * would overwrite what is unfinished from the one before.
 *
 * A broker that crashed may come back with exchanges that we finished long ago. They count against its limit for ever,
 * unless their ids are used again: then it drops them (mosquitto: "Reused message ID").
 */
export class PacketIds {
  readonly #isTaken: (id: number) => boolean;
  readonly #used = new Set<number>();
  #last: number;

  /** @param isTaken - whether the store holds an unfinished packet of this id */
  constructor(isTaken: (id: number) => boolean) {
    this.#isTaken = isTaken;
    this.#last = Math.floor(Math.random() * LARGEST_PACKET_ID);
  }

  allocate(): number | null {
    for (let tried = 0; tried < LARGEST_PACKET_ID; tried++) {
      this.#last = (this.#last % LARGEST_PACKET_ID) + 1;
      if (this.#used.has(this.#last) || this.#isTaken(this.#last)) continue;
      this.#used.add(this.#last);
      return this.#last;
    }
    return null;
  }

  getLastAllocated(): number {
    return this.#last;
  }

  register(id: number): boolean {
    this.#used.add(id);
    return true;
  }

  deallocate(id: number): void {
    this.#used.delete(id);
  }

  clear(): void {
    this.#used.clear();
  }
}
