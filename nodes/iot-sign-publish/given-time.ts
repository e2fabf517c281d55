import { durationText } from '../hmac-verify/duration';
import type { Fault } from '../lib/registry/fault';
import type { Match } from '../lib/registry/registry';

/** A signed time, as its members have it. */
export interface GivenTime {
  /** Seconds since 1970. */
  ts: number;
  ts_ns: number;
}

/**
 * When a message is signed: as it says itself, so that a reading that was kept for an hour is not stored as one of now; else
 * now. An action is a command of now, whatever it was made of.
 *
 * @returns a fault where its receivers would not accept the time, or it is none
 */
export function signedAt(
  payload: Record<string, unknown>,
  { kind, window }: Match,
  { time, now }: { time: string; now: number },
): GivenTime | { fault: Fault } {
  const { ts, ts_ns: nanoseconds = 0 } = payload;
  if (kind === 'action' || (ts === undefined && payload['ts_ns'] === undefined)) {
    return { ts: Number(time.slice(0, -9)), ts_ns: Number(time.slice(-9)) };
  }
  if (ts === undefined) return { fault: { path: '/ts', reason: 'is missing, where ts_ns is given' } };
  if (!isWhole(ts, Number.MAX_SAFE_INTEGER)) {
    return { fault: { path: '/ts', reason: 'must be whole seconds since 1970; the rest of a second goes into ts_ns' } };
  }
  if (!isWhole(nanoseconds, 999_999_999)) {
    return { fault: { path: '/ts_ns', reason: 'must be whole nanoseconds, from 0 to 999999999' } };
  }
  const reason = outside(now - (ts * 1000 + Math.floor(nanoseconds / 1_000_000)), window);
  return reason === undefined ? { ts, ts_ns: nanoseconds } : { fault: { path: '/ts', reason } };
}

function isWhole(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

/** Why the topic does not accept a message of this age, in milliseconds. */
function outside(age: number, { past, future }: Match['window']): string | undefined {
  if (past !== undefined && age > past) {
    return `is ${durationText(age)} ago, and this topic accepts ${durationText(past)}`;
  }
  if (-age > future) {
    return `is ${durationText(-age)} ahead, and this topic accepts ${durationText(future)}: it counts seconds since 1970`;
  }
  return undefined;
}
