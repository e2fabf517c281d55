import { parseLine } from '../influx/parse-line';

const BACKSLASH = 92;
/** Nanoseconds have so many digits more than milliseconds. */
const DIGITS = 6;

/** Measurement and tags of a line, as they are written in it. */
export function seriesKey(line: string): string {
  let end = line.indexOf(' ');
  while (end > 0 && line.charCodeAt(end - 1) === BACKSLASH) end = line.indexOf(' ', end + 1);
  return line.slice(0, end);
}

/** The time of a line in milliseconds since 1970, rounded down. */
export function millisecondsOf(line: string): number {
  const digits = line.slice(line.lastIndexOf(' ') + 1);
  if (digits.length > DIGITS && !digits.startsWith('-')) return Number(digits.slice(0, -DIGITS));
  const nanoseconds = BigInt(digits);
  return Number(nanoseconds >= 0n ? 0n : (nanoseconds - 999_999n) / 1_000_000n);
}

/** Takes a series apart again. */
export function parseSeries(series: string): { measurement: string; tags: Record<string, string> } {
  const { measurement, tags } = parseLine(`${series} v=0 0`);
  return { measurement, tags };
}
