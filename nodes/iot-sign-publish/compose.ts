import type { KeySource } from '../iot-keyring/keyring';
import type { ActionRecord } from '../lib/action/record';
import type { Kind, Point } from '../lib/point';
import { canonicalTextOf, type Signable } from '../lib/protocol/canonical';
import { MalformedError } from '../lib/protocol/reader';
import { scanPayload } from '../lib/protocol/scan';
import { signMessage } from '../lib/protocol/sign';
import { Literals } from '../lib/registry/digits';
import { HOUR } from '../lib/registry/durations';
import { describeFaults, type Fault } from '../lib/registry/fault';
import { pointOf } from '../lib/registry/point';
import type { Match, Registry } from '../lib/registry/registry';
import { quoted } from '../lib/shorten';
import { answerOf } from './answer-topics';
import { signedAt, type GivenTime } from './given-time';
import { topicFault } from './topic-fault';

/** Why nothing is signed. */
export interface NotSigned {
  ok: false;
  code: 'invalid-payload' | 'unregistered' | 'no-key';
  reason: string;
  faults?: Fault[];
}

/** A signed message, ready to be published. */
export interface SignedMessage {
  ok: true;
  kind: Kind;
  topic: string;
  device: string | undefined;
  /** What to publish. */
  message: string;
  /** What was signed. */
  payload: Record<string, unknown>;
  point: Point;
  /** Of an action or alarm: milliseconds since 1970 from which on it is not sent. */
  expires: number;
  answer: ActionRecord['answer'];
  /** It ends the older actions of its topic that are not over. */
  supersedes: boolean;
}

export interface ComposeOptions {
  registry: Registry;
  keyring: KeySource;
  /** Seconds for which an action may be sent. */
  expires: number;
  /** Id of a new action. */
  newId: () => string;
  /** When it is signed, unless it comes with a time of its own: nanoseconds since 1970, as digits. */
  time: string;
  /** Milliseconds since 1970. */
  now: number;
}

/** Checks a message against the registry, completes and signs it. */
export function compose(topic: unknown, received: unknown, options: ComposeOptions): SignedMessage | NotSigned {
  if (typeof topic !== 'string' || topic === '') return refused('unregistered', 'the message has no topic');
  const fault = topicFault(topic);
  if (fault !== undefined) return refused('unregistered', fault);
  const match = options.registry.match(topic);
  if (match === undefined) return refused('unregistered', `no topic of the registry matches ${quoted(topic)}`);
  if (match.kind === 'acknowledgement') return refused('unregistered', 'the topic is for the answers of devices');
  if (match.fault !== undefined) return refused('unregistered', match.fault);
  const keys = options.keyring.keysFor(match.device);
  const given = readPayload(received);
  if (typeof given === 'string') return refused('invalid-payload', given);
  const time = signedAt(given.payload, match, options);
  if ('fault' in time) return invalid([time.fault]);
  const completed = { ...given.payload, ...protocolMembers(match, time, options) };
  const faults = match.destination.format.check(completed);
  if (faults.length > 0) return invalid(faults);
  if ('missing' in keys) return refused('no-key', keys.missing);
  const signable = { ...completed, ...bigIntegers(given) };
  try {
    const point = pointOf(match, completed, canonicalTextOf(signable));
    if (Array.isArray(point)) return invalid(point);
    const message = signMessage(signable as Record<string, Signable>, keys.keys.current);
    const answer = match.kind === 'action' ? answerOf(match.entry, topic) : undefined;
    const expires = expiryOf(match, time, options);
    return {
      ok: true,
      kind: match.kind,
      topic,
      device: match.device,
      message,
      payload: completed,
      point,
      expires,
      answer,
      supersedes: match.kind === 'action' && match.entry.supersede,
    };
  } catch (error) {
    if (error instanceof MalformedError) return refused('invalid-payload', error.message);
    throw error;
  }
}

interface GivenPayload {
  payload: Record<string, unknown>;
  /** Where exact digits are, if it came as text. */
  text: string | undefined;
}

function readPayload(received: unknown): GivenPayload | string {
  if (typeof received === 'string' || Buffer.isBuffer(received)) {
    try {
      const { payload, text } = scanPayload(received.toString());
      return { payload, text };
    } catch (error) {
      if (error instanceof MalformedError) return `the payload is no JSON object: ${error.message}`;
      throw error;
    }
  }
  if (typeof received !== 'object' || received === null || Array.isArray(received)) {
    return 'the payload must be an object, or the JSON text of one';
  }
  return { payload: received as Record<string, unknown>, text: undefined };
}

/** Integers that came as text with more digits than a number keeps. */
function bigIntegers({ payload, text }: GivenPayload): Record<string, bigint> {
  const integers: Record<string, bigint> = {};
  if (text === undefined) return integers;
  const literals = new Literals(text);
  for (const [name, value] of Object.entries(payload)) {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) continue;
    const literal = literals.of(name);
    if (literal !== undefined && /^-?[0-9]+$/.test(literal)) integers[name] = BigInt(literal);
  }
  return integers;
}

/** What the protocol adds; an action that is sent once more gets its own. */
function protocolMembers({ kind }: Match, time: GivenTime, options: ComposeOptions): Record<string, unknown> {
  return kind === 'action' ? { ...time, id: options.newId(), expires: lastSecond(options) } : { ...time };
}

/** An alarm is worth sending as long as it would be accepted. */
function expiryOf({ kind, window }: Match, { ts }: GivenTime, options: ComposeOptions): number {
  return kind === 'action' ? lastSecond(options) * 1000 : ts * 1000 + (window.past ?? HOUR);
}

/** By the clock, which a signed time may be ahead of. */
function lastSecond({ now, expires }: ComposeOptions): number {
  return Math.floor(now / 1000) + expires;
}

function refused(code: NotSigned['code'], reason: string): NotSigned {
  return { ok: false, code, reason };
}

function invalid(faults: readonly Fault[]): NotSigned {
  return { ok: false, code: 'invalid-payload', reason: describeFaults(faults), faults: [...faults] };
}
