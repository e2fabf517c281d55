/** The tokens of a JSON text: strings, punctuation, and numbers or words. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const LARGEST_INTEGER = 9_223_372_036_854_775_807n;
const SMALLEST_INTEGER = -9_223_372_036_854_775_808n;

/**
 * How the number of a top-level member is written in a JSON object's text. JavaScript numbers keep 53 bits; the rest
 * of the digits is only there.
 *
 * @returns the literal, or undefined when the text has no such member or its value is no number
 */
export function literalOf(text: string, member: string): string | undefined {
  let depth = 0;
  let previous = '';
  let wanted = false;
  for (const [token] of text.matchAll(TOKENS)) {
    if (wanted) return /^[-0-9]/.test(token) ? token : undefined;
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (token === ':' && depth === 1) wanted = previous.startsWith('"') && unquoted(previous) === member;
    previous = token;
  }
  return undefined;
}

/**
 * The exact value of a JSON number, as decimal digits, when it is whole and fits into 64 bits with a sign; also for
 * `1e18` and `10.0`.
 */
export function integerDigits(literal: string): string | undefined {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$/.exec(literal) ?? [];
  if (sign === undefined || whole === undefined) return undefined;
  const significant = (whole + fraction).replace(/^0+/, '');
  const trimmed = significant.replace(/0+$/, '');
  if (trimmed === '') return '0';
  const zeros = significant.length - trimmed.length + Number(exponent) - fraction.length;
  if (zeros < 0 || trimmed.length + zeros > 19) return undefined;
  const value = BigInt(sign + trimmed + '0'.repeat(zeros));
  return value >= SMALLEST_INTEGER && value <= LARGEST_INTEGER ? String(value) : undefined;
}

function unquoted(token: string): unknown {
  try {
    return JSON.parse(token);
  } catch {
    return undefined;
  }
}
