import { canonicalTextOf } from '../lib/protocol/canonical';
import { digestOf } from '../lib/protocol/digest';
import type { DeviceKeys } from '../lib/protocol/key';
import { MAXIMUM_DEPTH } from '../lib/protocol/limits';
import { MalformedError } from '../lib/protocol/reader';
import { type ScannedMessage, scanPayload } from '../lib/protocol/scan';
import { type Fit, findFit } from '../lib/protocol/verify';

/** What `mqtt in` hands over by default when a message is a JSON object: how its numbers were written is gone. */
export type ParsedObject = Record<string, unknown>;

export function isParsedObject(received: unknown): received is ParsedObject {
  return typeof received === 'object' && received !== null && !Array.isArray(received) && !ArrayBuffer.isView(received);
}

/**
 * The message with its payload in canonical text, which is the nearest to what was received. Its payload is read again from
 * that text: a flow that changes the verified payload must not change the message as received. Throws MalformedError.
 */
export function messageOf(received: ParsedObject): ScannedMessage {
  const { hmac, payload } = received;
  if (typeof hmac !== 'string') throw new MalformedError('member "hmac" is missing or not a string');
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw new MalformedError('member "payload" is missing or not an object');
  }
  return { ...scanPayload(canonicalTextOf(payload)), digest: digestOf(hmac) };
}

/**
 * What the hmac of a parsed object was made of, if that can still be told: the canonical text, or the compact JSON text with
 * the members in the object's order, which is what many devices sign and send. A text that fits is the text that was signed,
 * so nothing is accepted that was not.
 */
export function findParsedFit(received: ParsedObject, message: ScannedMessage, keys: DeviceKeys): Fit | undefined {
  const fit = findFit(message, keys);
  if (fit) return { ...fit, form: 'canonical' };
  const text = compactText(received['payload']);
  return text === undefined ? undefined : findFit({ ...message, text }, keys);
}

function compactText(payload: unknown): string | undefined {
  try {
    return JSON.stringify(payload);
  } catch {
    // A bigint; no message was parsed into one.
    return undefined;
  }
}

/**
 * Whether the JSON text of a value surely has more characters than the limit; looks at no more of the value than that. A
 * value too deep to be a message counts as short: reading it finds that out.
 */
export function isLongerThan(value: unknown, limit: number): boolean {
  return charactersLeft(value, limit, MAXIMUM_DEPTH) < 0;
}

function charactersLeft(value: unknown, limit: number, depth: number): number {
  let left = limit - 1;
  if (typeof value === 'string') return left - value.length;
  if (typeof value !== 'object' || value === null || depth === 0) return left;
  const names = Array.isArray(value) ? undefined : Object.keys(value);
  const members: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  if (members.length > left) return -1;
  for (let index = 0; index < members.length && left >= 0; index += 1) {
    left = charactersLeft(members[index], left - (names?.[index]?.length ?? 0), depth - 1);
  }
  return left;
}
