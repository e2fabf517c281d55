import { parseJson } from '../store/json';

/**
 * How far a device lets a signed time be ahead of its clock. What was signed further ahead than this has been refused, or the
 * device's clock was wrong as well: then it must not bind what is signed now.
 */
const MOST_AHEAD = 60_000_000_000n;
/** What a burst of messages can be ahead of a clock in milliseconds, and more: beyond it, the clock was set back. */
const UNREMARKABLE = 1_000_000_000n;

const NANOSECONDS = 1_000_000n;

/** A time to sign with, and what is to be said of it. */
export interface SignedTime {
  /** Nanoseconds since 1970, as digits. */
  time: string;
  /** The clock was set back: by how many milliseconds, and whether this time is later than all before it nevertheless. */
  setBack?: { milliseconds: number; isOrdered: boolean };
}

/**
 * The times with which actions are signed: each later than all before it, as a device refuses what was signed before the
 * newest that it has performed. They are the same for all topics and brokers, and go on over restarts, see {@link learn}.
 */
export class SignedTimes {
  #newest = 0n;

  /** One that was given out before the last start. */
  learn(time: string): void {
    const known = BigInt(time);
    if (known > this.#newest) this.#newest = known;
  }

  next(): SignedTime {
    const now = BigInt(Date.now()) * NANOSECONDS;
    const ahead = this.#newest - now;
    const isOrdered = ahead <= MOST_AHEAD;
    this.#newest = ahead >= 0n && isOrdered ? this.#newest + 1n : now;
    const time = String(this.#newest);
    if (ahead <= UNREMARKABLE) return { time };
    return { time, setBack: { milliseconds: Number(ahead / NANOSECONDS), isOrdered } };
  }
}

/** Of this process. */
export const signedTimes = new SignedTimes();

export function encodeSignedTime(time: string): Buffer {
  return Buffer.from(JSON.stringify({ time }));
}

/** Undefined for what no release has written. */
export function decodeSignedTime(value: Buffer): string | undefined {
  const record = parseJson(value) as { time?: unknown } | null | undefined;
  return typeof record?.time === 'string' && /^[0-9]{1,20}$/.test(record.time) ? record.time : undefined;
}
