import { HOURS, isDay, startOf } from './backup/days';

const NANOSECONDS_A_MILLISECOND = 1_000_000n;
const DIGITS = /^-?[0-9]{1,19}$/;
const ZONED = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})$/;

/** Which end of a time range is read. */
export type RangeEnd = 'from' | 'to';

/**
 * The moment that a person or a flow gave as an end of a time range, in nanoseconds since 1970.
 *
 * A day such as `2026-07-01` lasts from its start to its end in UTC, so as `to` it is included. A string of digits counts
 * nanoseconds, as everywhere in InfluxDB; a number counts milliseconds, as everywhere in JavaScript. A time without a zone is
 * refused: it would be another moment on another machine.
 *
 * @returns undefined where nothing is given
 * @throws RangeError what cannot be read
 */
export function momentOf(value: unknown, end: RangeEnd): bigint | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'bigint') return value;
  if (typeof value === 'string') {
    if (isDay(value)) return startOf(value, end === 'from' ? 0 : HOURS);
    if (DIGITS.test(value)) return BigInt(value);
  }
  const isDate = typeof value === 'number' || value instanceof Date || (typeof value === 'string' && ZONED.test(value));
  const milliseconds = isDate ? new Date(value).getTime() : NaN;
  if (Number.isNaN(milliseconds)) throw new RangeError(`${end} is no moment`);
  return BigInt(milliseconds) * NANOSECONDS_A_MILLISECOND;
}
