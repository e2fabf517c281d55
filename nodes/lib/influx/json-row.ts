import type { Value } from './query';

/** A number that has these is a float: 3.x writes `20.0` and `1e300` for floats, and digits alone for integers. */
const FLOAT = /[.eE]/;
const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;
const OPEN = 123;
const CLOSE = 125;
const NUMBER = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;

/**
 * Reads a flat JSON object, as 3.x writes a row: with each number as it is spelled, since `JSON.parse` knows neither type nor
 * all digits. Linear in its length.
 *
 * @throws RangeError for text that is no such object
 */
export function readRow(text: string, take: (name: string, value: Value) => void): void {
  let at = 0;

  function fail(): never {
    throw new RangeError(`no row of JSON: ${JSON.stringify(text.slice(at, at + 40))}`);
  }

  function expect(code: number): void {
    if (text.charCodeAt(at) !== code) fail();
    at += 1;
  }

  function string(): string {
    const start = at;
    expect(QUOTE);
    let hasEscape = false;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code !== BACKSLASH) continue;
      hasEscape = true;
      at += 1;
    }
    expect(QUOTE);
    if (!hasEscape) return text.slice(start + 1, at - 1);
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      at = start;
      return fail();
    }
  }

  function word(): Value {
    for (const [spelling, value] of WORDS) {
      if (!text.startsWith(spelling, at)) continue;
      at += spelling.length;
      return value;
    }
    NUMBER.lastIndex = at;
    const [digits] = NUMBER.exec(text) ?? fail();
    at += digits.length;
    return FLOAT.test(digits) ? Number(digits) : BigInt(digits);
  }

  expect(OPEN);
  if (text.charCodeAt(at) === CLOSE) {
    at += 1;
  } else {
    for (;;) {
      const name = string();
      expect(COLON);
      take(name, text.charCodeAt(at) === QUOTE ? string() : word());
      if (text.charCodeAt(at) !== COMMA) break;
      at += 1;
    }
    expect(CLOSE);
  }
  if (at !== text.length) fail();
}

const WORDS: readonly [string, Value][] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
