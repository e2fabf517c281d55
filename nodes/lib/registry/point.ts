import type { FieldValue, Point } from '../point';
import { isBeyondLastTime } from '../protocol/timestamp';
import { Literals, integerDigits } from './digits';
import { pointer } from './fault';
import type { Fault } from './fault';
import type { FieldFormat } from './payload';
import type { Match } from './registry';

/** InfluxDB refuses longer strings. */
const STRING_BYTES = 1_048_576;
/** Strings of so many UTF-16 units cannot be longer: a unit is at most three bytes of UTF-8. */
const SURELY_SHORT = Math.floor(STRING_BYTES / 3);

/**
 * Builds the point of a payload that has passed its format's check.
 *
 * @param signedText the payload as it was signed: where the digits of big integers are
 * @returns the point, or what cannot be stored
 */
export function pointOf(match: Match, payload: Readonly<Record<string, unknown>>, signedText: string): Point | Fault[] {
  const { bucket, measurement, format: payloadFormat } = match.destination;
  const time = timeOf(payload['ts'], payload['ts_ns']);
  const fields: Record<string, FieldValue> = {};
  let faults: Fault[] | undefined;
  let count = 0;
  const literals = new Literals(signedText);
  for (const format of payloadFormat.fields) {
    const value = payload[format.name];
    if (value === undefined || (format.optional && !Object.hasOwn(payload, format.name))) continue;
    const field = fieldOf(format, value, literals);
    if (typeof field === 'string') (faults ??= []).push({ path: pointer(format.name), reason: field });
    else fields[format.name] = field;
    count += 1;
  }
  if (time === undefined) {
    (faults ??= []).push({ path: '/ts', reason: 'and /ts_ns must be whole seconds since 1970 and nanoseconds' });
  }
  if (count === 0) (faults ??= []).push({ path: '', reason: 'the payload has no field to store' });
  if (faults !== undefined || time === undefined) return faults ?? [];
  return { bucket, measurement, tags: { ...match.tags }, fields, time };
}

/** The signed time in nanoseconds since 1970, as decimal digits. */
function timeOf(seconds: unknown, nanoseconds: unknown): string | undefined {
  if (typeof seconds !== 'number' || typeof nanoseconds !== 'number') return undefined;
  if (!Number.isInteger(seconds) || seconds < 0) return undefined;
  if (!Number.isInteger(nanoseconds) || nanoseconds < 0 || nanoseconds > 999_999_999) return undefined;
  if (isBeyondLastTime(seconds, nanoseconds)) return undefined;
  if (seconds === 0) return `${nanoseconds}`;
  // 1,000,000,000 more than the nanoseconds has all nine digits, behind a 1.
  return `${seconds}${`${nanoseconds + 1_000_000_000}`.slice(1)}`;
}

/** The typed value, or the reason why it cannot be stored. */
function fieldOf(format: FieldFormat, value: unknown, literals: Literals): FieldValue | string {
  switch (format.type) {
    case 'float':
      return typeof value === 'number' && Number.isFinite(value) ? { type: 'float', value } : 'must be a number';
    case 'integer':
      return integerOf(format.name, value, literals);
    case 'boolean':
      return typeof value === 'boolean' ? { type: 'boolean', value } : 'must be true or false';
    case 'string':
      return typeof value === 'string' ? stringOf(value) : 'must be a string';
  }
}

function integerOf(name: string, value: unknown, literals: Literals): FieldValue | string {
  // Adding 0 turns -0 into 0.
  if (Number.isSafeInteger(value)) return { type: 'integer', value: (value as number) + 0 };
  if (typeof value !== 'number' || !Number.isInteger(value)) return 'must be a whole number';
  const literal = literals.of(name);
  if (literal === undefined || Number(literal) !== value) {
    return 'is another number than the one that was signed, and too big to be exact';
  }
  const digits = integerDigits(literal);
  if (digits !== undefined) return { type: 'integer', value: digits };
  return 'must be a whole number of 64 bits: from -9223372036854775808 to 9223372036854775807';
}

function stringOf(value: string): FieldValue | string {
  if (/\p{Surrogate}/u.test(value)) return 'holds half of a character (a lone surrogate), which UTF-8 cannot carry';
  if (value.length > SURELY_SHORT && Buffer.byteLength(value) > STRING_BYTES) return 'must have at most 1 MiB';
  return { type: 'string', value };
}
