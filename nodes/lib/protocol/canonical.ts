import { MAXIMUM_DEPTH, MAXIMUM_INTEGER_DIGITS } from './limits';
import { compareCodePoints, pythonFloat, pythonString } from './python';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  JsonReader,
  MINUS,
  MalformedError,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  ZERO,
} from './reader';

/**
 * The canonical text is what Python's
 * `json.dumps(value, indent=None, separators=(",", ":"), sort_keys=True)` writes, always pure ASCII.
 */

/** What can be signed. Integers beyond 2^53 are bigints; a number that is a safe integer is written as an integer. */
export type Signable =
  string | number | bigint | boolean | null | readonly Signable[] | { readonly [name: string]: Signable };

/**
 * The canonical text of a JSON text. Number literals keep what a JavaScript value loses: whether they are integers, and
 * all digits of those. Throws MalformedError.
 */
export function canonicalText(jsonText: string): string {
  return new CanonicalWriter(jsonText).write();
}

/**
 * The canonical text of a JavaScript value: see `Signable` for what it may be made of. Throws MalformedError for what
 * JSON cannot hold (undefined, functions, dates and other objects with a form of their own, numbers that are not finite)
 * and for nesting beyond the limit, cycles included.
 */
export function canonicalTextOf(value: unknown): string {
  return textOfValue(value, 0);
}

class CanonicalWriter extends JsonReader {
  write(): string {
    const text = this.value();
    this.finish();
    return text;
  }

  private value(): string {
    const code = this.peek();
    if (code === QUOTE) return pythonString(this.string());
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.numberText();
    if (code === OPEN_BRACE) return this.object();
    if (code === OPEN_BRACKET) return this.array();
    return String(this.word());
  }

  private array(): string {
    if (!this.enter(CLOSE_BRACKET)) return '[]';
    let text = '[' + this.value();
    while (this.more(CLOSE_BRACKET)) text += ',' + this.value();
    return text + ']';
  }

  private object(): string {
    if (!this.enter(CLOSE_BRACE)) return '{}';
    const members: Member[] = [];
    do members.push({ name: this.memberName(), text: this.value() });
    while (this.more(CLOSE_BRACE));
    return objectText(members);
  }

  private numberText(): string {
    const start = this.position;
    const value = this.number();
    const literal = this.text.slice(start, this.position);
    if (this.isInteger) return value === 0 ? '0' : literal;
    return this.isShort && isShortest(literal, value) ? literal : pythonFloat(value);
  }
}

interface Member {
  name: string;
  text: string;
}

function objectText(members: Member[]): string {
  members.sort(byName);
  let text = '{';
  let previous: string | undefined;
  for (const member of members) {
    if (member.name === previous) throw new MalformedError(`member ${JSON.stringify(previous.slice(0, 64))} twice`);
    text += (previous === undefined ? '' : ',') + pythonString(member.name) + ':' + member.text;
    previous = member.name;
  }
  return text + '}';
}

function byName(left: Member, right: Member): number {
  return compareCodePoints(left.name, right.name);
}

/**
 * Whether a decimal of at most 15 digits is what Python would write. Two different ones of that length never are the same
 * double, so only superfluous zeros and the range of the plain form count.
 */
function isShortest(literal: string, value: number): boolean {
  if (value !== 0 && Math.abs(value) < 1e-4) return false;
  return literal.charCodeAt(literal.length - 1) !== ZERO || literal.charAt(literal.length - 2) === '.';
}

function textOfValue(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return pythonString(value);
    case 'boolean':
      return String(value);
    case 'bigint':
      return integerText(value);
    case 'number':
      if (Number.isSafeInteger(value)) return String(value);
      if (Number.isFinite(value)) return pythonFloat(value);
      throw new MalformedError(`${value} cannot be written in JSON`);
    case 'object':
      if (value === null) return 'null';
      if (depth >= MAXIMUM_DEPTH) throw new MalformedError(`more than ${MAXIMUM_DEPTH} levels of nesting`);
      return Array.isArray(value) ? arrayTextOf(value, depth + 1) : objectTextOf(value, depth + 1);
    default:
      throw new MalformedError(`a value of type ${typeof value} cannot be written in JSON`);
  }
}

function integerText(value: bigint): string {
  const text = String(value);
  if (text.length - (value < 0n ? 1 : 0) <= MAXIMUM_INTEGER_DIGITS) return text;
  throw new MalformedError(`an integer of more than ${MAXIMUM_INTEGER_DIGITS} digits`);
}

function arrayTextOf(elements: readonly unknown[], depth: number): string {
  // Array.from, not map: a hole in the array must be seen, and refused.
  return `[${Array.from(elements, (element) => textOfValue(element, depth)).join(',')}]`;
}

function objectTextOf(value: object, depth: number): string {
  // By tag, not by prototype: an object that a function node made has the Object of another realm.
  if (Object.prototype.toString.call(value) !== '[object Object]' || 'toJSON' in value) {
    throw new MalformedError('only plain objects can be written in JSON');
  }
  const members = Object.entries(value).map(([name, member]) => ({ name, text: textOfValue(member, depth) }));
  return members.length === 0 ? '{}' : objectText(members);
}
