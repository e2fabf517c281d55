/** The tokens of a JSON text: strings, punctuation, and numbers or words. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const ZERO = 0x30;

const LARGEST_INTEGER = 9_223_372_036_854_775_807n;
const SMALLEST_INTEGER = -9_223_372_036_854_775_808n;

/**
 * How the numbers of the top-level members are written in a JSON object's text. JavaScript numbers keep 53 bits; the rest
 * of the digits is only there. The text is read once, however many members are asked for.
 */
export class Literals {
  private readonly text: string;
  private byMember: Map<unknown, string> | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The literal; undefined when the text has no such member or its value is no number. */
  of(member: string): string | undefined {
    this.byMember ??= literalsIn(this.text);
    return this.byMember.get(member);
  }
}

function literalsIn(text: string): Map<unknown, string> {
  const literals = new Map<unknown, string>();
  let depth = 0;
  let previous = '';
  let name = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (token === ':' && depth === 1) name = previous;
    else if (previous === ':' && depth === 1 && /^[-0-9]/.test(token)) literals.set(unquoted(name), token);
    previous = token;
  }
  return literals;
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
  const trimmed = significant.slice(0, lengthWithoutZeros(significant));
  if (trimmed === '') return '0';
  const zeros = significant.length - trimmed.length + Number(exponent) - fraction.length;
  if (zeros < 0 || trimmed.length + zeros > 19) return undefined;
  const value = BigInt(sign + trimmed + '0'.repeat(zeros));
  return value >= SMALLEST_INTEGER && value <= LARGEST_INTEGER ? String(value) : undefined;
}

/** By counting: the expression `/0+$/` starts anew at every zero, which takes hours for a text that has many of them. */
function lengthWithoutZeros(digits: string): number {
  let length = digits.length;
  while (length > 0 && digits.charCodeAt(length - 1) === ZERO) length -= 1;
  return length;
}

function unquoted(token: string): unknown {
  try {
    return JSON.parse(token);
  } catch {
    return undefined;
  }
}
