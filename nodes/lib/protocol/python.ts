/** How Python's `json.dumps` writes scalars, and how it sorts names. */

/** A double as Python's `repr` writes it: `20.0`, `1e+16`, `1e-07`, `-0.0`. */
export function pythonFloat(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e16)) return exponentForm(value);
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return Number.isInteger(value) ? `${text}.0` : text;
}

/** Both languages write the shortest digits that read back as the same double; Python pads the exponent to two digits. */
function exponentForm(value: number): string {
  const text = value.toExponential();
  const digits = text.indexOf('e') + 2;
  return text.length - digits > 1 ? text : `${text.slice(0, digits)}0${text.slice(digits)}`;
}

/** A string in quotes with `ensure_ascii`: everything but the printable ASCII characters is escaped, DEL too. */
export function pythonString(value: string): string {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return escapedFrom(value, at);
  }
  return `"${value}"`;
}

function escapedFrom(value: string, first: number): string {
  let text = `"${value.slice(0, first)}`;
  for (let at = first; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code >= 0x20 && code <= 0x7e && code !== 0x22 && code !== 0x5c) text += value.charAt(at);
    else text += SHORT_ESCAPES.get(code) ?? `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return `${text}"`;
}

const SHORT_ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);

/**
 * Order by code point, as Python compares strings; `<` compares UTF-16 code units, which puts U+1F600 before U+E000.
 * Negative, zero or positive.
 */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const difference = left.charCodeAt(at) - right.charCodeAt(at);
    if (difference === 0) continue;
    // Behind a high surrogate that both have, the units may be the second half of a pair in one and not in the other.
    const shared = at > 0 && (left.charCodeAt(at - 1) & 0xfc00) === 0xd800;
    return (shared && codePointDifference(left, right, at - 1)) || codePointDifference(left, right, at);
  }
  return left.length - right.length;
}

function codePointDifference(left: string, right: string, at: number): number {
  return (left.codePointAt(at) ?? 0) - (right.codePointAt(at) ?? 0);
}
