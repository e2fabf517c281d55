import type { FieldValue, Point } from '../../../nodes/lib/point';

/** Repeatable random numbers (mulberry32), from 0 up to but not 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const PIECES = [
  'a',
  'B',
  '7',
  ',',
  '=',
  ' ',
  '"',
  "'",
  '#',
  '\\',
  '\\\\',
  'é',
  '😀',
  '\u2028',
  '\ufffd',
  '\u0001',
  '{',
  '%',
];
const FLOATS = [
  0,
  -0,
  1,
  -1.5,
  5e-324,
  1.7976931348623157e308,
  -1.7976931348623157e308,
  1e21,
  1e-7,
  0.1,
  2 ** 53,
  1 / 3,
];
const INTEGERS = [
  0,
  1,
  -1,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  '9223372036854775807',
  '-9223372036854775808',
  '9007199254740993',
];

/** Points with whatever InfluxDB can hold exactly, however awkward. */
export class RandomPoints {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  text(pieces = 6): string {
    return Array.from({ length: this.below(pieces) + 1 }, () => this.pick(PIECES)).join('');
  }

  /** Not ending in a backslash, which no tag value can. */
  tagValue(): string {
    return this.text().replace(/\\+$/, '') || 'v';
  }

  name(): string {
    return `n${this.text(3).replaceAll('\\', '')}`;
  }

  string(): string {
    return this.text(12) + this.pick(['', '\n', '\nx y=1', '\t', '\\']);
  }

  field(): FieldValue {
    switch (this.below(4)) {
      case 0:
        return {
          type: 'float',
          value: this.below(2) === 0 ? this.pick(FLOATS) : (this.#random() - 0.5) * 10 ** this.below(40),
        };
      case 1:
        return { type: 'integer', value: this.pick(INTEGERS) };
      case 2:
        return { type: 'boolean', value: this.below(2) === 0 };
      default:
        return { type: 'string', value: this.string() };
    }
  }

  point(): Point {
    const tags: Record<string, string> = {};
    for (let count = this.below(4); count > 0; count--) tags[this.name()] = this.tagValue();
    const fields: Record<string, FieldValue> = { [this.name()]: this.field() };
    for (let count = this.below(4); count > 0; count--) fields[this.name()] = this.field();
    const time = (1_700_000_000_000_000_000n + BigInt(this.below(2 ** 31))).toString();
    return { bucket: 'raw', measurement: this.name(), tags, fields, time };
  }
}
