/** From the start of the first to the end of the last window that a stretch marks: ms since 1970. */
export interface StretchRange {
  from: number;
  to: number;
}

/** The value of a stretch in the store. */
export function rangeText({ from, to }: StretchRange): Buffer {
  return Buffer.from(`${from} ${to}`);
}

/** What a stretch marks, from its value in the store; of none, nothing. */
export function rangeOf(value: Buffer | undefined): StretchRange {
  if (value === undefined) return { from: Infinity, to: -Infinity };
  const [from = NaN, to = NaN] = value.toString().split(' ').map(Number);
  return { from, to };
}
