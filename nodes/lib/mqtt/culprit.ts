/** Milliseconds within which a broker closes the connection that does not like what it was sent. */
const QUICK = 1000;
/** So often in a row: a link that breaks by chance breaks elsewhere the next time. */
const ENOUGH = 3;

/**
 * Finds what makes the broker close the connection: a packet that MQTT 5 tells it to refuse so, or that MQTT 3.1.1 leaves no
 * other answer to. Sent first on every new connection, it would hold up all others for ever.
 */
export class Culprits {
  /** What waits for its answer, and since when. */
  #asked: { what: string | number; since: number } | undefined;
  #suspect: { what: string | number; times: number } | undefined;

  /** Only one at a time is looked at: what was sent with others is not blamed. */
  sent(what: string | number, now: number): void {
    this.#asked = { what, since: now };
  }

  answered(what: string | number | undefined): void {
    if (this.#asked?.what === what) this.#asked = undefined;
    if (this.#suspect?.what === what) this.#suspect = undefined;
  }

  /**
   * The connection has ended.
   *
   * @param hasWaited - it was we who ended it, as nothing was answered any more
   * @returns what is to blame
   */
  ended(now: number, hasWaited: boolean): string | number | undefined {
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked === undefined) return undefined;
    const before = this.#suspect?.what === asked.what ? this.#suspect.times : 0;
    const isGuilty = hasWaited || now - asked.since <= QUICK;
    this.#suspect = { what: asked.what, times: isGuilty ? before + 1 : 0 };
    if (this.#suspect.times < ENOUGH) return undefined;
    this.#suspect = undefined;
    return asked.what;
  }
}
