import { HOURS } from './days';
import { TextHash } from './hash';

/** What is known of one hour: how many points it has, and a sum over their lines. Null: it has none. */
export type HourSum = readonly [points: number, sum: string] | null;

/** Lines of one hour, without line breaks at their ends, and the times of the first and the last point. */
export interface HourLines {
  hour: number;
  lines: string[];
  first: bigint;
  last: bigint;
}

/** Lines as they stand in a file. */
export function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/**
 * Counts and sums up the lines of a day, each hour by itself. The sum of an hour does not depend on the order of its lines: equal
 * points have equal sums, in whatever order and portions they come.
 */
export class DaySums {
  points = 0;
  first: bigint | undefined;
  last: bigint | undefined;
  readonly #points = new Float64Array(HOURS);
  readonly #high = new Uint32Array(HOURS);
  readonly #low = new Uint32Array(HOURS);
  readonly #hash = new TextHash();

  add({ hour, lines, first, last }: HourLines): void {
    this.points += lines.length;
    this.#points[hour] = (this.#points[hour] ?? 0) + lines.length;
    let high = this.#high[hour] ?? 0;
    let low = this.#low[hour] ?? 0;
    for (const line of lines) {
      this.#hash.take(line);
      high = (high + this.#hash.high) >>> 0;
      low = (low + this.#hash.low) >>> 0;
    }
    this.#high[hour] = high;
    this.#low[hour] = low;
    if (this.first === undefined || first < this.first) this.first = first;
    if (this.last === undefined || last > this.last) this.last = last;
  }

  hours(): HourSum[] {
    return Array.from(this.#points, (points, hour) => {
      if (points === 0) return null;
      const sum = Buffer.alloc(8);
      sum.writeUInt32BE(this.#high[hour] ?? 0, 0);
      sum.writeUInt32BE(this.#low[hour] ?? 0, 4);
      return [points, sum.toString('base64url')];
    });
  }
}

export function pointsOf(hour: HourSum | undefined): number {
  return hour?.[0] ?? 0;
}

export function isSameHour(one: HourSum | undefined, other: HourSum | undefined): boolean {
  return one?.[0] === other?.[0] && one?.[1] === other?.[1];
}
