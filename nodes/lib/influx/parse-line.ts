import type { FieldValue, Point } from '../point';

/** A line taken apart: a {@link Point} that does not know its bucket. */
export type ParsedLine = Omit<Point, 'bucket'>;

/** Where the parser is in the line, so that each part can be read by a small function. */
class Cursor {
  at = 0;
  readonly line: string;

  constructor(line: string) {
    this.line = line;
  }

  fail(expected: string): Error {
    return new Error(
      `not line protocol: ${expected} expected at character ${this.at + 1} of ${JSON.stringify(this.line)}`,
    );
  }

  peek(): string {
    return this.line.charAt(this.at);
  }

  expect(character: string): void {
    if (this.peek() !== character) throw this.fail(`"${character}"`);
    this.at += 1;
  }

  /** A name or tag value, up to the first of `ends` that no backslash stands before. */
  escaped(what: string, ends: string): string {
    let text = '';
    for (; this.at < this.line.length; this.at++) {
      const character = this.peek();
      if (ends.includes(character)) break;
      const next = this.line.charAt(this.at + 1);
      if (character === '\\' && next !== '' && ends.includes(next)) {
        text += next;
        this.at += 1;
      } else text += character;
    }
    if (text === '') throw this.fail(what);
    return text;
  }

  /** A string field, from its opening quote to behind its closing one. */
  quoted(): string {
    this.expect('"');
    let text = '';
    for (;;) {
      const character = this.peek();
      if (character === '') throw this.fail('closing quote');
      this.at += 1;
      if (character === '"') return text;
      const next = this.peek();
      if (character === '\\' && (next === '"' || next === '\\')) {
        text += next;
        this.at += 1;
      } else text += character;
    }
  }

  match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.line)?.[0];
    if (found === undefined) throw this.fail(what);
    this.at += found.length;
    return found;
  }
}

const FIELD_VALUE = /[^, \n]+/y;
const TIME = /-?[0-9]+$/y;
const INTEGER = /^-?[0-9]+i$/;
const FLOAT = /^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/;

function fieldValue(cursor: Cursor): FieldValue {
  if (cursor.peek() === '"') return { type: 'string', value: cursor.quoted() };
  const text = cursor.match(FIELD_VALUE, 'field value');
  if (text === 'true' || text === 'false') return { type: 'boolean', value: text === 'true' };
  if (INTEGER.test(text)) {
    const digits = text.slice(0, -1);
    const number = Number(digits);
    return { type: 'integer', value: Number.isSafeInteger(number) ? number : digits };
  }
  if (FLOAT.test(text)) return { type: 'float', value: Number(text) };
  throw cursor.fail('end of a field value');
}

/** Sets own properties only, whatever the name. */
function put<T>(object: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}

/**
 * Takes a line that `lineOf` made apart again, exactly: types, all 64 bits of integers (as digits where a number is not
 * exact) and nanoseconds survive.
 *
 * @throws Error for text that is not such a line.
 */
export function parseLine(line: string): ParsedLine {
  const cursor = new Cursor(line);
  const measurement = cursor.escaped('measurement', ', ');
  const tags: Record<string, string> = {};
  while (cursor.peek() === ',') {
    cursor.at += 1;
    const key = cursor.escaped('tag key', ',= ');
    cursor.expect('=');
    put(tags, key, cursor.escaped('tag value', ',= '));
  }
  cursor.expect(' ');
  const fields: Record<string, FieldValue> = {};
  for (;;) {
    const key = cursor.escaped('field key', ',= ');
    cursor.expect('=');
    put(fields, key, fieldValue(cursor));
    if (cursor.peek() !== ',') break;
    cursor.at += 1;
  }
  cursor.expect(' ');
  return { measurement, tags, fields, time: cursor.match(TIME, 'time') };
}
