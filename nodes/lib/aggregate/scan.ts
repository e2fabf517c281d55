import { parseLine } from '../influx/parse-line';

const SPACE = 32;
const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
const BACKSLASH = 92;
/** Nanoseconds have so many digits more than milliseconds. */
const DIGITS = 6;

/** Measurement and tags of a line, as they are written in it. */
export function seriesKey(line: string): string {
  let end = line.indexOf(' ');
  while (end > 0 && line.charCodeAt(end - 1) === BACKSLASH) end = line.indexOf(' ', end + 1);
  return line.slice(0, end);
}

/** Whether a line is of a measurement, which is given as lines have it. */
export function isOf(line: string, measurement: string): boolean {
  if (!line.startsWith(measurement)) return false;
  const next = line.charCodeAt(measurement.length);
  return next === COMMA || next === SPACE;
}

/** The measurement of a line, as it is written in it. */
export function measurementOf(line: string): string {
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === COMMA || code === SPACE) return line.slice(0, at);
  }
  return line;
}

/** A measurement as lines have it. */
export function escapedMeasurement(measurement: string): string {
  return measurement.replace(/[, ]/g, '\\$&');
}

/** The time of a line in milliseconds since 1970, rounded down. */
export function millisecondsOf(line: string): number {
  let at = line.lastIndexOf(' ') + 1;
  const end = line.length - DIGITS;
  if (at >= end || line.charCodeAt(at) === MINUS) {
    const nanoseconds = BigInt(line.slice(at));
    return Number(nanoseconds >= 0n ? 0n : (nanoseconds - 999_999n) / 1_000_000n);
  }
  let milliseconds = 0;
  for (; at < end; at++) milliseconds = milliseconds * 10 + line.charCodeAt(at) - ZERO;
  return milliseconds;
}

/** The tags of a series. */
export function tagsOf(series: string): Record<string, string> {
  return parseLine(`${series} v=0 0`).tags;
}
