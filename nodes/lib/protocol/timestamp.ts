import type { ScannedPayload } from './scan';

/** InfluxDB's last time is 2^63 - 2 nanoseconds after 1970, in the year 2262. */
const LAST_SECOND = 9_223_372_036;
const LAST_NANOSECOND = 854_775_806;

/** Whether InfluxDB cannot store so late a time: whole seconds since 1970, and nanoseconds. */
export function isBeyondLastTime(seconds: number, nanoseconds: number): boolean {
  return seconds > LAST_SECOND || (seconds === LAST_SECOND && nanoseconds > LAST_NANOSECOND);
}

/** When a payload was signed, in milliseconds since 1970, or why its timestamp is none. */
export type SignedTime = { at: number } | { reason: string };

/** `ts` and `ts_ns` are both required and both written as integers: `1.0` and `1e9` are none. */
export function signedTime(scanned: ScannedPayload): SignedTime {
  const { payload, seconds, nanoseconds } = scanned;
  if (seconds === undefined) return { reason: notAnInteger(payload, 'ts') };
  if (nanoseconds === undefined) return { reason: notAnInteger(payload, 'ts_ns') };
  if (seconds < 0) return { reason: 'payload.ts is before 1970' };
  if (nanoseconds < 0 || nanoseconds > 999_999_999) return { reason: 'payload.ts_ns is not within 0 to 999999999' };
  if (isBeyondLastTime(seconds, nanoseconds)) {
    return {
      reason: `payload.ts is beyond ${LAST_SECOND}, the last second that InfluxDB can store; it counts seconds`,
    };
  }
  return { at: seconds * 1000 + Math.floor(nanoseconds / 1_000_000) };
}

function notAnInteger(payload: Record<string, unknown>, name: string): string {
  return Object.hasOwn(payload, name) ? `payload.${name} is not an integer` : `payload.${name} is missing`;
}
