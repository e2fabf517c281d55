import { describeFaults } from '../lib/registry/fault';
import type { Fault } from '../lib/registry/fault';
import { pointOf } from '../lib/registry/point';
import type { MatchKind, Registry } from '../lib/registry/registry';
import type { Point } from '../lib/point';
import { quoted } from '../lib/shorten';

/** Why a message is rejected. */
export type RouteCode = 'unverified' | 'unregistered' | 'invalid-payload';

/** Where a message goes; an acknowledgement has no point. */
export type Route =
  { ok: true; kind: MatchKind; point?: Point } | { ok: false; code: RouteCode; reason: string; faults?: Fault[] };

/**
 * Finds a verified message's topic in the registry, checks its payload, and makes the point.
 *
 * @param topic the topic that the message came by
 * @param payload what hmac-verify has verified
 * @param signedText the payload's text as it was signed; undefined for a message that has not been verified
 */
export function route(registry: Registry, topic: unknown, payload: unknown, signedText: string | undefined): Route {
  if (signedText === undefined) return rejected('unverified', 'the message has not passed an hmac-verify node');
  if (typeof topic !== 'string' || topic === '') return rejected('unregistered', 'the message has no topic');
  const match = registry.match(topic);
  if (match === undefined) return rejected('unregistered', `no topic of the registry matches ${quoted(topic)}`);
  const { kind } = match;
  if (kind === 'acknowledgement') return { ok: true, kind };
  if (match.fault !== undefined) return rejected('unregistered', match.fault);
  const faults = match.destination.format.check(payload);
  if (faults.length > 0) return invalid(faults);
  const point = pointOf(match, payload as Record<string, unknown>, signedText);
  return Array.isArray(point) ? invalid(point) : { ok: true, kind, point };
}

function rejected(code: RouteCode, reason: string): Route {
  return { ok: false, code, reason };
}

function invalid(faults: readonly Fault[]): Route {
  return { ok: false, code: 'invalid-payload', reason: describeFaults(faults), faults: [...faults] };
}
