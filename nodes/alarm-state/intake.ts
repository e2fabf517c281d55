import type { Said, Source } from '../lib/alarm/alarm';
import { MOST_TOPIC } from '../lib/alarm/room';
import { PackError } from '../lib/errors';
import type { Point } from '../lib/point';
import type { Match, Registry } from '../lib/registry/registry';
import { shortened } from '../lib/runtime/status';
import { quoted } from '../lib/shorten';

/** Why a message changes nothing. */
export type IgnoreCode =
  'unverified' | 'unregistered' | 'retained' | 'too-long' | 'outdated' | 'unknown-alarm' | 'not-active';

/** A message of the flow, as far as it matters here. */
export interface AlarmInput {
  topic?: unknown;
  payload?: unknown;
  retain?: unknown;
  kind?: unknown;
  point?: Point;
  verified?: unknown;
}

/** What a message asks for. */
export type Intake =
  | { what: 'report'; source: Source; said: Said }
  | { what: 'acknowledge'; id: string; by: string | undefined; since: number | undefined }
  | { what: 'forget'; id: string; by: string | undefined }
  | { what: 'ask' }
  /** It is neither an alarm nor a reading. */
  | { what: 'nothing' }
  | { what: 'ignore'; code: IgnoreCode; reason: string };

const RETAINED = {
  what: 'ignore',
  code: 'retained',
  reason: 'the broker had kept the message: it tells of what was, not of what happens',
} as const;

/**
 * Reads a message: one that registry-route has routed, or what an operator wants.
 *
 * @throws PackError `invalid-point` for a message that is neither, or that lacks what a routed one has: a topic, a time, and
 *   in an alarm whether it is active
 */
export function readMessage(message: AlarmInput, registry: () => Registry): Intake {
  const { kind, payload } = message;
  if (kind === undefined) {
    const command = commandOf(payload);
    return message.retain === true ? RETAINED : command;
  }
  if (kind !== 'alarm' && kind !== 'sensor') return { what: 'nothing' };
  if (message.verified === undefined) {
    return { what: 'ignore', code: 'unverified', reason: 'the message has not passed an hmac-verify node' };
  }
  if (message.retain === true) return RETAINED;
  const { topic } = message;
  if (typeof topic !== 'string' || topic === '') throw new PackError('invalid-point', 'The message has no msg.topic');
  // What is kept of an alarm lasts, and anybody with a key can make alarms.
  if (topic.length > MOST_TOPIC) return { what: 'ignore', code: 'too-long', reason: tooLong(topic) };
  const match = registry().match(topic);
  if (match?.kind !== kind) {
    return {
      what: 'ignore',
      code: 'unregistered',
      reason: `no ${kind} topic of the registry matches ${quoted(topic)}`,
    };
  }
  return { what: 'report', source: sourceOf(match, topic), said: saidBy(message.point, kind, match) };
}

const sources = new WeakMap<Match, Source>();

/** A topic has one match as long as it is in the registry's cache. */
function sourceOf(match: Match, topic: string): Source {
  const { events } = match.entry;
  let source = sources.get(match);
  if (source === undefined) {
    const { bucket, measurement } = match.destination;
    source = { topic, bucket, measurement, ...(events !== undefined && { events }), tags: match.tags };
    sources.set(match, source);
  }
  return source;
}

function tooLong(topic: string): string {
  return `the topic has ${topic.length} characters, and ${MOST_TOPIC} are the most: ${shortened(topic)}`;
}

/** Characters of a severity, and of who has acknowledged. */
const MOST_CHARACTERS = 128;

/** As many digits as InfluxDB's times can have. */
const TIME = /^(?:0|[1-9]\d{0,18})$/;

function saidBy(point: Point | undefined, kind: 'alarm' | 'sensor', match: Match): Said {
  if (point === undefined) throw new PackError('invalid-point', 'The message has no msg.point');
  const { time } = point as { time: unknown };
  if (typeof time !== 'string' || !TIME.test(time)) {
    throw new PackError(
      'invalid-point',
      'msg.point.time must be nanoseconds since 1970, as a string of decimal digits',
    );
  }
  if (kind === 'sensor') return { time, active: undefined };
  const active = point.fields['active']?.value;
  if (typeof active !== 'boolean') {
    const { filter } = match.entry;
    throw new PackError('invalid-point', `An alarm must have a boolean field "active", and one of ${filter} has none`);
  }
  const severity = point.fields['severity']?.value;
  return { time, active, severity: typeof severity === 'string' ? severity.slice(0, MOST_CHARACTERS) : undefined };
}

const EXPECTED =
  'The message is neither routed by a "route by registry" node nor a command: "active", {"acknowledge": id} or {"forget": id}';

const SINCE = '"since" must be msg.alarm.since of the alarm that is acknowledged, a number';

function commandOf(payload: unknown): Intake {
  if (payload === 'active') return { what: 'ask' };
  if (typeof payload === 'object' && payload !== null) {
    const { acknowledge, forget, by, since } = payload as Record<string, unknown>;
    const whom = typeof by === 'string' ? by.slice(0, MOST_CHARACTERS) : undefined;
    if (typeof acknowledge === 'string') {
      // Not to be overlooked: an alarm that nobody has seen would be acknowledged.
      if (since !== undefined && typeof since !== 'number') throw new PackError('invalid-point', SINCE);
      return { what: 'acknowledge', id: acknowledge, by: whom, since };
    }
    if (typeof forget === 'string') return { what: 'forget', id: forget, by: whom };
  }
  throw new PackError('invalid-point', EXPECTED);
}
