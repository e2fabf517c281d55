import { createHash, type Hash } from 'node:crypto';
import { HOURS } from './days';

/** What is known of one hour of a copy: how many points it has, and a sum over their lines. Null: it has none. */
export type HourSum = readonly [points: number, sum: string] | null;

/** Lines of one hour, each with its line break. */
export interface HourLines {
  hour: number;
  text: string;
  points: number;
  first: bigint;
  last: bigint;
}

/** 128 bits: to tell a change, not to keep a forger out. */
const SUM_BYTES = 16;

/**
 * Counts and sums up the lines of a day, each hour by itself. Within an hour lines come by measurement, series and time, in
 * whatever portions the day is read, so equal points have equal sums.
 */
export class DaySums {
  points = 0;
  first: bigint | undefined;
  last: bigint | undefined;
  readonly #points = new Array<number>(HOURS).fill(0);
  readonly #hashes: (Hash | undefined)[] = [];

  add({ hour, text, points, first, last }: HourLines): void {
    this.points += points;
    this.#points[hour] = (this.#points[hour] ?? 0) + points;
    const hash = (this.#hashes[hour] ??= createHash('sha256'));
    hash.update(text);
    if (this.first === undefined || first < this.first) this.first = first;
    if (this.last === undefined || last > this.last) this.last = last;
  }

  /** Ends the counting. */
  hours(): HourSum[] {
    return this.#points.map((points, hour) => {
      const hash = this.#hashes[hour];
      return hash ? [points, hash.digest().subarray(0, SUM_BYTES).toString('base64url')] : null;
    });
  }
}

export function pointsOf(hour: HourSum | undefined): number {
  return hour?.[0] ?? 0;
}

export function isSameHour(one: HourSum | undefined, other: HourSum | undefined): boolean {
  return one?.[0] === other?.[0] && one?.[1] === other?.[1];
}
