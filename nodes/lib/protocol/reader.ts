import { MAXIMUM_DEPTH, MAXIMUM_INTEGER_DIGITS } from './limits';

/** The text is no message of the protocol. `message` says what is wrong and where; it is meant for the operator. */
export class MalformedError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'MalformedError';
  }
}

export const QUOTE = 0x22;
export const MINUS = 0x2d;
export const ZERO = 0x30;
export const NINE = 0x39;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const POINT = 0x2e;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** 10^0 … 10^15: exact as numbers, so that dividing an exact number by one rounds once, as reading the decimal would. */
const POWERS_OF_TEN = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * Reads the tokens of a JSON text (RFC 8259), strictly, and the brackets around them. What is made of them is up to the
 * classes that extend it. Every method throws MalformedError.
 */
export class JsonReader {
  protected readonly text: string;
  protected position = 0;
  /** Levels entered; beyond MAXIMUM_DEPTH is refused. */
  protected depth = 0;
  /** Of the number read last: written without point and exponent. Python tells these two kinds apart. */
  protected isInteger = false;
  /** Of the number read last: at most 15 digits and no exponent, so its decimal form is exact. */
  protected isShort = false;

  constructor(text: string) {
    this.text = text;
  }

  /** Skips whitespace. The character code that follows, NaN at the end of the text. */
  protected peek(): number {
    let code = this.text.charCodeAt(this.position);
    while (code <= SPACE) {
      if (code !== SPACE && code !== 0x0a && code !== 0x0d && code !== 0x09) return this.unexpected();
      code = this.text.charCodeAt(++this.position);
    }
    return code;
  }

  /** Enters the array or object whose bracket is next; false when it is empty, and left again. */
  protected enter(closing: number): boolean {
    if (++this.depth > MAXIMUM_DEPTH) this.fail(`more than ${MAXIMUM_DEPTH} levels of nesting`);
    this.position++;
    if (this.peek() !== closing) return true;
    this.position++;
    this.depth--;
    return false;
  }

  /** After an element or member: true when another one follows, false when the closing bracket has been read. */
  protected more(closing: number): boolean {
    const code = this.peek();
    if (code === COMMA) {
      this.position++;
      return true;
    }
    if (code !== closing) this.unexpected();
    this.position++;
    this.depth--;
    return false;
  }

  /** A member's name and its colon. */
  protected memberName(): string {
    if (this.peek() !== QUOTE) this.unexpected();
    const name = this.string();
    if (this.peek() !== COLON) this.unexpected();
    this.position++;
    return name;
  }

  /** The string whose opening quote is next. */
  protected string(): string {
    const text = this.text;
    const start = this.position + 1;
    let end = start;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === QUOTE) break;
      if (code === BACKSLASH) return this.escapedString(start, end);
      if (code < 0xd800 && code >= SPACE) end++;
      else end = this.afterCharacter(end);
    }
    this.position = end + 1;
    return text.slice(start, end);
  }

  /** The rest of a string, from its first backslash on. */
  private escapedString(start: number, backslash: number): string {
    const text = this.text;
    let value = text.slice(start, backslash);
    let from = backslash;
    let end = backslash;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === QUOTE) break;
      if (code !== BACKSLASH) {
        end = this.afterCharacter(end);
        continue;
      }
      value += text.slice(from, end);
      this.position = end;
      const escape = text.charAt(end + 1);
      if (escape === 'u') {
        value += String.fromCharCode(this.hexadecimal(end + 2));
        end += 6;
      } else {
        value += ESCAPES[escape] ?? this.fail('an escape that JSON does not have');
        end += 2;
      }
      from = end;
    }
    this.position = end + 1;
    return value + text.slice(from, end);
  }

  /** Where the next character of a string starts. */
  private afterCharacter(at: number): number {
    const code = this.text.charCodeAt(at);
    this.position = at;
    if (!(code >= SPACE)) {
      return Number.isNaN(code) ? this.unexpected() : this.fail('a control character within a string');
    }
    if (code < 0xd800 || code > 0xdfff) return at + 1;
    // A string that came as JavaScript text may hold half a surrogate pair, which no UTF-8 can.
    const next = this.text.charCodeAt(at + 1);
    if (code > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) this.fail('half a surrogate pair, which is not UTF-8');
    return at + 2;
  }

  private hexadecimal(start: number): number {
    let value = 0;
    for (let at = start; at < start + 4; at++) {
      const code = this.text.charCodeAt(at);
      const lower = code | 0x20;
      if (code >= ZERO && code <= NINE) value = value * 16 + code - ZERO;
      else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
      else this.fail('an escape without four hexadecimal digits');
    }
    return value;
  }

  /** The number that is next; sets isInteger and isShort. Integers beyond 2^53 are rounded, as JSON.parse does. */
  protected number(): number {
    const text = this.text;
    const start = this.position;
    let at = start;
    let code = text.charCodeAt(at);
    const negative = code === MINUS;
    if (negative) code = text.charCodeAt(++at);
    const first = at;
    let mantissa = 0;
    while (code >= ZERO && code <= NINE) {
      mantissa = mantissa * 10 + code - ZERO;
      code = text.charCodeAt(++at);
    }
    let digits = at - first;
    if (digits === 0 || (digits > 1 && text.charCodeAt(first) === ZERO)) {
      this.position = first;
      this.fail('a number that JSON cannot have');
    }
    let decimals = 0;
    this.isInteger = code !== POINT && (code | 0x20) !== 0x65;
    if (code === POINT) {
      const point = at;
      code = text.charCodeAt(++at);
      while (code >= ZERO && code <= NINE) {
        mantissa = mantissa * 10 + code - ZERO;
        code = text.charCodeAt(++at);
      }
      decimals = at - point - 1;
      if (decimals === 0) this.failAt(at, 'a number without digits after its point');
      digits += decimals;
    }
    if ((code | 0x20) === 0x65) return this.exponentNumber(start, at + 1);
    this.position = at;
    this.isShort = digits <= 15;
    if (this.isInteger) {
      if (digits > MAXIMUM_INTEGER_DIGITS) this.fail(`an integer of more than ${MAXIMUM_INTEGER_DIGITS} digits`);
      // An integer has no negative zero: Python reads -0 as 0.
      if (digits <= 15) return negative ? 0 - mantissa : mantissa;
    } else if (digits <= 15) {
      const value = mantissa / (POWERS_OF_TEN[decimals] ?? 1);
      return negative ? -value : value;
    }
    return this.finite(start);
  }

  /** The rest of a number, from the character after its `e` on. */
  private exponentNumber(start: number, exponent: number): number {
    const text = this.text;
    let at = exponent;
    let code = text.charCodeAt(at);
    if (code === 0x2b || code === MINUS) code = text.charCodeAt(++at);
    const first = at;
    while (code >= ZERO && code <= NINE) code = text.charCodeAt(++at);
    if (at === first) this.failAt(at, 'a number without digits in its exponent');
    this.position = at;
    this.isShort = false;
    return this.finite(start);
  }

  /** The number from `start` up to here. An integer beyond the range of doubles is still an integer with all its digits. */
  private finite(start: number): number {
    const value = Number(this.text.slice(start, this.position));
    if (!this.isInteger && !Number.isFinite(value)) this.failAt(start, 'a number too large for a double');
    return value;
  }

  /** `true`, `false` or `null`. */
  protected word(): boolean | null {
    if (this.take('true')) return true;
    if (this.take('false')) return false;
    if (this.take('null')) return null;
    return this.unexpected();
  }

  private take(word: string): boolean {
    if (!this.text.startsWith(word, this.position)) return false;
    this.position += word.length;
    return true;
  }

  /** Nothing but whitespace may follow the value. */
  protected finish(): void {
    if (!Number.isNaN(this.peek())) this.fail('something after the end of the message');
  }

  protected unexpected(): never {
    const code = this.text.codePointAt(this.position);
    if (code === undefined) throw new MalformedError('the message ends too early');
    const shown =
      code > SPACE && code < 0x7f ? `"${String.fromCodePoint(code)}"` : `U+${code.toString(16).padStart(4, '0')}`;
    return this.fail(`unexpected ${shown}`);
  }

  protected fail(reason: string): never {
    return this.failAt(this.position, reason);
  }

  protected failAt(position: number, reason: string): never {
    throw new MalformedError(`${reason}, at character ${position + 1}`);
  }
}
