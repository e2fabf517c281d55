import type { FieldValue, Point } from '../point';

/** A line taken apart: a {@link Point} that does not know its bucket. */
export type ParsedLine = Omit<Point, 'bucket'>;

const QUOTED_LENGTH = 200;

/** What is no line protocol. The message quotes the start of the line; `position` says the same without its content. */
export class LineFault extends Error {
  readonly position: string;

  constructor(expected: string, at: number, line: string) {
    const position = `${expected} expected at character ${at + 1}`;
    super(`not line protocol: ${position} of ${JSON.stringify(line.slice(0, QUOTED_LENGTH))}`);
    this.name = 'LineFault';
    this.position = position;
  }
}

/** A backslash escapes only what would end the text where it stands. */
const ESCAPES = { name: /\\([, ])/g, key: /\\([,= ])/g, text: /\\(["\\])/g };
type Kind = keyof typeof ESCAPES;
const ENDS: Record<Kind, string> = { name: ', ', key: ',= ', text: '"' };

/** Where the parser is in the line, so that each part can be read by a small function. */
class Cursor {
  at = 0;
  readonly line: string;

  constructor(line: string) {
    this.line = line;
  }

  fail(expected: string): Error {
    return new LineFault(expected, this.at, this.line);
  }

  peek(): string {
    return this.line.charAt(this.at);
  }

  expect(character: string): void {
    if (this.peek() !== character) throw this.fail(`"${character}"`);
    this.at += 1;
  }

  /** A string field, from its opening quote to behind its closing one. */
  quoted(): string {
    this.expect('"');
    const text = this.peek() === '"' ? '' : this.escaped('closing quote', 'text');
    this.expect('"');
    return text;
  }

  /**
   * A text up to its end, before which no backslash stands. Looks for the end first: to put a text together by its characters
   * takes many times its size.
   */
  escaped(what: string, kind: Kind): string {
    const { line } = this;
    const ends = ENDS[kind];
    const begin = this.at;
    let hasEscapes = false;
    for (; this.at < line.length; this.at++) {
      const character = line.charAt(this.at);
      if (ends.includes(character)) break;
      if (character !== '\\') continue;
      const next = line.charAt(this.at + 1);
      if (next === '' || !(ends.includes(next) || (kind === 'text' && next === '\\'))) continue;
      hasEscapes = true;
      this.at += 1;
    }
    if (this.at === begin) throw this.fail(what);
    const text = line.slice(begin, this.at);
    return hasEscapes ? text.replace(ESCAPES[kind], '$1') : text;
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
const TIME = /-?[0-9]{1,19}$/y;
const INTEGER = /^-?[0-9]{1,19}i$/;
/** No digit can be read in two ways: then a text that is none would take the square of its length. */
const FLOAT = /^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/;

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

type Each<T> = (name: string, value: T) => void;

/** @returns measurement and time */
function walk(line: string, tag: Each<string>, field: Each<FieldValue>): { measurement: string; time: string } {
  const cursor = new Cursor(line);
  const measurement = cursor.escaped('measurement', 'name');
  while (cursor.peek() === ',') {
    cursor.at += 1;
    const key = cursor.escaped('tag key', 'key');
    cursor.expect('=');
    tag(key, cursor.escaped('tag value', 'key'));
  }
  cursor.expect(' ');
  for (;;) {
    const key = cursor.escaped('field key', 'key');
    cursor.expect('=');
    field(key, fieldValue(cursor));
    if (cursor.peek() !== ',') break;
    cursor.at += 1;
  }
  cursor.expect(' ');
  return { measurement, time: cursor.match(TIME, 'time') };
}

/**
 * Takes a line that `lineOf` made apart again, exactly: types, all 64 bits of integers (as digits where a number is not
 * exact) and nanoseconds survive.
 *
 * @throws LineFault for text that is not such a line
 */
export function parseLine(line: string): ParsedLine {
  const tags: Record<string, string> = {};
  const fields: Record<string, FieldValue> = {};
  const { measurement, time } = walk(
    line,
    (name, value) => put(tags, name, value),
    (name, value) => put(fields, name, value),
  );
  return { measurement, tags, fields, time };
}

/**
 * Makes sure that a line can be taken apart, without keeping its parts: there can be a million of them.
 *
 * @throws LineFault
 */
export function checkLine(line: string): void {
  walk(line, drop, drop);
}

function drop(): void {
  // only that it is there counts
}
