/** Milliseconds of each unit of a duration. */
const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A hundred years: beyond it InfluxDB's nanoseconds since 1970 come near the end of their 64 bits. */
export const LONGEST_DURATION = 36_500 * 86_400_000;

export const HOUR = 3_600_000;

/**
 * Reads a duration of the registry document, such as `10s`, `5m`, `1h`, `1d` or `2w`.
 *
 * @returns milliseconds, or undefined when the text is no duration or longer than a hundred years
 */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^([1-9][0-9]{0,9})([smhdw])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const milliseconds = Number(digits) * (UNITS[unit] ?? NaN);
  return milliseconds <= LONGEST_DURATION ? milliseconds : undefined;
}

/** The shortest text for a duration in milliseconds, for messages: `90m`, `1d`. */
export function durationText(milliseconds: number): string {
  for (const unit of ['w', 'd', 'h', 'm']) {
    const length = UNITS[unit] ?? NaN;
    if (milliseconds % length === 0) return `${milliseconds / length}${unit}`;
  }
  return `${milliseconds / 1_000}s`;
}
