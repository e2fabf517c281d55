/** Splits a double into two halves of 26 bits (Veltkamp), so that products of halves are exact. */
const SPLITTER = 2 ** 27 + 1;

/**
 * The values as a sum of parts that do not overlap, smallest first, without any rounding (Shewchuk 1997); undefined when a
 * part would be beyond the largest double.
 */
function exactParts(values: Iterable<number>): number[] | undefined {
  const parts: number[] = [];
  for (const value of values) {
    let carry = value;
    let kept = 0;
    for (const part of parts) {
      const [large, small] = Math.abs(carry) < Math.abs(part) ? [part, carry] : [carry, part];
      const sum = large + small;
      const rest = small - (sum - large);
      if (rest !== 0) parts[kept++] = rest;
      carry = sum;
    }
    parts.length = kept;
    parts.push(carry);
    if (!Number.isFinite(carry)) return undefined;
  }
  return parts;
}

/** The double next to the sum of the parts; of two that are as near, the even one. */
function rounded(parts: readonly number[]): number {
  let at = parts.length - 1;
  let sum = parts[at] ?? 0;
  let rest = 0;
  while (at > 0 && rest === 0) {
    at -= 1;
    const large = sum;
    const small = parts[at] ?? 0;
    sum = large + small;
    rest = small - (sum - large);
  }
  // Half-way between two doubles as far as seen: the parts below decide.
  const below = parts[at - 1] ?? 0;
  if ((rest < 0 && below < 0) || (rest > 0 && below > 0)) {
    const twice = rest * 2;
    const other = sum + twice;
    if (twice === other - sum) return other;
  }
  return sum;
}

/** `-(a * b)` as two numbers whose sum is exact. */
function negatedProduct(a: number, b: number): [number, number] {
  const product = a * b;
  const [aHigh, bHigh] = [a * SPLITTER - (a * SPLITTER - a), b * SPLITTER - (b * SPLITTER - b)];
  const [aLow, bLow] = [a - aHigh, b - bHigh];
  const rest = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
  return [-product, -rest];
}

/** Sum and mean of numbers, each rounded once, from the exact sum: the order of the numbers does not matter. */
export interface SumAndMean {
  /** Not finite when it is beyond the largest double. */
  sum: number;
  mean: number;
}

/** Python's `math.fsum` and `statistics.mean`. Of at least one number, all finite. */
export function sumAndMean(values: readonly number[]): SumAndMean {
  const parts = exactParts(values);
  // Smaller by a power of two: exact but for numbers that the sum of such large ones does not feel.
  if (parts === undefined) {
    const { sum, mean } = sumAndMean(values.map((value) => value * 2 ** -64));
    return { sum: sum * 2 ** 64, mean: mean * 2 ** 64 };
  }
  const sum = rounded(parts);
  const quotient = sum / values.length;
  // The division rounds a sum that is rounded already. What both have lost is put right here.
  const left = exactParts([...parts, ...negatedProduct(quotient, values.length)]);
  const correction = left === undefined ? NaN : rounded(left) / values.length;
  return { sum, mean: Number.isFinite(correction) ? quotient + correction : quotient };
}
