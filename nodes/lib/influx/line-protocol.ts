import { PackError } from '../errors';
import type { Point } from '../point';

/** Names repeat from point to point, tag values may not: only names are worth remembering. */
const NAMES_REMEMBERED = 10_000;
const MAX_INTEGER = '9223372036854775807';
const MIN_INTEGER = '9223372036854775808';
/** InfluxDB keeps the two outermost nanoseconds for itself, on both sides of 1970. */
const MAX_TIME = '9223372036854775806';
const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/;
/** With the `u` flag only surrogates without their other half match: text that UTF-8 cannot hold. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;

function invalid(what: string): PackError {
  return new PackError('invalid-point', `InfluxDB cannot hold this point: ${what}`);
}

/**
 * Why line protocol cannot carry `text` as a name or tag value, whatever the escaping. A backslash there stands for itself
 * and cannot be escaped, so that it must not be the last character: it would take the delimiter with it.
 */
function faultOf(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.includes('\n')) return 'contains a line break';
  if (text.endsWith('\\')) return 'ends in a backslash';
  if (LONE_SURROGATE.test(text)) return 'is not valid Unicode';
  return undefined;
}

/** InfluxDB 1.x and 2.x take these pairs in measurements and field keys apart differently when writing and reading. */
const AMBIGUOUS_IN_NAME = /\\[,= "\\]/;
const SKIPPED_AT_START = /^[\t\0]/;

/**
 * Why InfluxDB cannot hold `name` as a measurement, tag key or field key; undefined when it can.
 * Continues a sentence: `is empty`, `ends in a backslash`.
 */
export function nameFault(name: string, use: 'measurement' | 'tag key' | 'field key'): string | undefined {
  if (AMBIGUOUS_IN_NAME.test(name)) return 'has a backslash before a comma, equals sign, space, quote or backslash';
  if (SKIPPED_AT_START.test(name)) return 'starts with a tab or a zero byte';
  if (use === 'measurement' && name.startsWith('#')) return 'starts with #, which makes its line a comment';
  // 1.x drops a field of this name without a word, 2.x refuses the whole batch for such a tag.
  if (use !== 'measurement' && name === 'time') return 'is the name of the time column';
  return faultOf(name);
}

/** The escaped form of measurements, tag keys or field keys, each checked once and then remembered. */
class Names {
  readonly #escape: (name: string) => string;
  readonly #known = new Map<string, string>();

  constructor(escape: (name: string) => string) {
    this.#escape = escape;
  }

  escaped(name: string): string {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const escaped = this.#escape(name);
    if (this.#known.size >= NAMES_REMEMBERED) this.#known.clear();
    this.#known.set(name, escaped);
    return escaped;
  }
}

function checked(name: unknown, use: 'measurement' | 'tag key' | 'field key'): string {
  if (typeof name !== 'string') throw invalid(`its ${use} is not a string`);
  const fault = nameFault(name, use);
  if (fault !== undefined) throw invalid(`the ${use} "${name}" ${fault}`);
  return name;
}

function namesBy(check: typeof checked) {
  return {
    measurements: new Names((name) => check(name, 'measurement').replace(/[, ]/g, '\\$&')),
    tagKeys: new Names((name) => `,${check(name, 'tag key').replace(/[,= ]/g, '\\$&')}=`),
    fieldKeys: new Names((name) => `${check(name, 'field key').replace(/[,= ]/g, '\\$&')}=`),
  };
}

/** Names as InfluxDB can hold them, whoever wrote them. */
const ANY_NAMES = namesBy(checked);
/** For points to be written newly. InfluxDB answers queries with rows of its own where `_name` and the like are a name. */
const NEW_NAMES = namesBy((name, use) => {
  const text = checked(name, use);
  if (text.startsWith('_')) throw invalid(`the ${use} "${text}" starts with _, as names of InfluxDB itself do`);
  return text;
});

const TAG_VALUE_NEEDS_CARE = /[,= \\\n\ud800-\udfff]/;

function tagValueText(key: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(`the tag "${key}" is not a string`);
  if (!TAG_VALUE_NEEDS_CARE.test(value)) return value;
  const fault = faultOf(value);
  if (fault !== undefined) throw invalid(`the value of the tag "${key}" ${fault}`);
  return value.replace(/[,= ]/g, '\\$&');
}

function isWithin(digits: string, maximum: string, minimum: string): boolean {
  if (!INTEGER.test(digits)) return false;
  if (digits.length < 19) return true;
  if (digits.startsWith('-')) return digits.length < 20 || digits.slice(1) <= minimum;
  return digits <= maximum;
}

function integerText(key: string, value: unknown): string {
  if (Number.isSafeInteger(value)) return `${String(value)}i`;
  if (typeof value === 'number')
    throw invalid(
      `the field "${key}" is not a whole number that JavaScript holds exactly; give its digits as a string`,
    );
  const digits = typeof value === 'bigint' ? value.toString() : value;
  if (typeof digits !== 'string' || !isWithin(digits, MAX_INTEGER, MIN_INTEGER)) {
    throw invalid(`the field "${key}" is not an integer of 64 bits`);
  }
  return `${digits}i`;
}

function floatText(key: string, value: unknown): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(`the field "${key}" is not a finite number`);
  return value === 0 && Object.is(value, -0) ? '-0' : String(value);
}

const STRING_NEEDS_CARE = /["\\\ud800-\udfff]/;

function stringText(key: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(`the field "${key}" is not a string`);
  if (!STRING_NEEDS_CARE.test(value)) return `"${value}"`;
  if (LONE_SURROGATE.test(value)) throw invalid(`the field "${key}" is not valid Unicode`);
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

function fieldText(key: string, type: unknown, value: unknown): string {
  switch (type) {
    case 'float':
      return floatText(key, value);
    case 'integer':
      return integerText(key, value);
    case 'boolean':
      if (typeof value !== 'boolean') throw invalid(`the field "${key}" is not true or false`);
      return value ? 'true' : 'false';
    case 'string':
      return stringText(key, value);
    default:
      throw invalid(`the field "${key}" has no type (float, integer, boolean or string)`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * The point as one line of line protocol, without the line end; its strings may contain line breaks of their own.
 * Tags without a value are left out: to InfluxDB they are the same as absent ones. Takes hand-made points as they come.
 *
 * @throws PackError `invalid-point` for what no version of InfluxDB could hold exactly.
 */
export function lineOf(point: Point): string {
  return lineWith(ANY_NAMES, point);
}

/** The same for a point that is new: its names must not be like those of InfluxDB itself either. */
export function lineOfNew(point: Point): string {
  return lineWith(NEW_NAMES, point);
}

function lineWith({ measurements, tagKeys, fieldKeys }: typeof ANY_NAMES, point: Point): string {
  let line = measurements.escaped(point.measurement);
  const { tags, fields, time } = point;
  if (!isObject(tags)) throw invalid('it has no tags object');
  for (const key of Object.keys(tags)) {
    const value = tags[key];
    if (value !== '') line += tagKeys.escaped(key) + tagValueText(key, value);
  }
  if (!isObject(fields)) throw invalid('it has no fields object');
  let separator = ' ';
  for (const key of Object.keys(fields)) {
    const field = fields[key];
    line += separator + fieldKeys.escaped(key) + fieldText(key, field?.type, field?.value);
    separator = ',';
  }
  if (separator === ' ') throw invalid('it has no field');
  if (typeof time !== 'string' || !isWithin(time, MAX_TIME, MAX_TIME)) {
    throw invalid('its time is not a string of digits, in nanoseconds since 1970');
  }
  return `${line} ${time}`;
}
