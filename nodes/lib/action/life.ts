import type { PacketChange } from '../mqtt/packets';
import { refusalOf } from '../mqtt/refusal';
import { hasTaken, isFinal, type ActionRecord, type Failure, type Step } from './record';

/** An action and what only this process needs to know of it. */
export interface LivingAction {
  readonly record: ActionRecord;
  /** The broker has not finished its packet. */
  inFlight: boolean;
  /** When to send it, in milliseconds since 1970; undefined: not by itself. */
  sendAt: number | undefined;
  /** An older one of its topic is not over: until then it is not sent. */
  isWaiting: boolean;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Nanoseconds since 1970, as digits, later than any before while the clock is not set back. */
  next(): string;
}

const WAITED = 'it was not sent, as an older action for the same topic was under way until it expired';

/** Before it is tried again with a broker that was too busy to take it. */
const BUSY_RETRY = 1000;

/** A new action, due at once unless it has to wait. */
export function begin(record: Omit<ActionRecord, 'steps'>, clock: Clock): LivingAction {
  return {
    record: { ...record, steps: [{ step: 'created', time: clock.next() }] },
    inFlight: false,
    sendAt: clock.now(),
    isWaiting: false,
  };
}

/** An action as it was found in the store. */
export function resume(record: ActionRecord, inFlight: boolean, clock: Clock): LivingAction {
  const action: LivingAction = { record, inFlight, sendAt: undefined, isWaiting: false };
  if (inFlight || isFinal(record)) return action;
  if (record.answer !== undefined || record.kind === 'alarm' || record.isBack || !hasTaken(record, 'sent')) {
    action.sendAt = clock.now();
  }
  // Its packet has left the store without a word: that store was damaged.
  else fail(action, clock, 'uncertain', 'what was stored of its packet is lost, so nobody knows whether it was sent');
  return action;
}

/** What becomes of its packet. */
export function packetChanged(action: LivingAction, change: PacketChange, clock: Clock): void {
  const { record } = action;
  action.inFlight = change.kind === 'sent' || change.kind === 'released';
  if (isFinal(record)) return;
  action.sendAt = undefined;
  switch (change.kind) {
    case 'sent':
      delete record.isBack;
      if (!hasTaken(record, 'sent')) take(action, 'sent', clock);
      return;
    case 'released':
      record.released ??= clock.now();
      return;
    case 'finished':
      finished(action, change.isRepeated === true, clock);
      return;
    case 'refused':
      refused(action, change.reasonCode, clock);
      return;
    case 'lost':
      // A device that keeps ids performs it once, however often it comes.
      if (record.answer !== undefined) action.sendAt = clock.now();
      // An alarm may come twice.
      else if (record.kind === 'alarm') action.sendAt = clock.now() + BUSY_RETRY;
      else fail(action, clock, 'uncertain', change.reason);
      return;
    case 'withdrawn':
      fail(action, clock, 'uncertain', change.reason);
  }
}

/**
 * The device has answered, if need be after the action was given up.
 *
 * @param refusal - why the device has not performed it, if so; of one that was given up this changes nothing
 */
export function answered(
  action: LivingAction,
  acknowledgement: Record<string, unknown>,
  refusal: string | undefined,
  clock: Clock,
): void {
  const { record } = action;
  // The answer can overtake the broker's own.
  if (!isFinal(record)) {
    if (!hasTaken(record, 'sent')) take(action, 'sent', clock);
    if (!hasTaken(record, 'published')) take(action, 'published', clock);
  }
  record.acknowledgement = acknowledgement;
  action.sendAt = undefined;
  if (refusal === undefined) take(action, 'acknowledged', clock);
  else fail(action, clock, 'not-performed', refusal);
}

/** A newer action for its topic takes its place: it is not sent again. */
export function supersede(action: LivingAction, clock: Clock): void {
  const { record } = action;
  if (isFinal(record)) return;
  const what = hasTaken(record, 'sent')
    ? 'it was sent, but not known to be performed, when'
    : 'it had not been sent when';
  fail(action, clock, 'superseded', `${what} a newer action for the same topic took its place`);
}

/** The next moment at which time alone changes something; see {@link timePassed}. */
export function dueAt({ record, inFlight, sendAt, isWaiting }: LivingAction): number {
  if (isFinal(record)) return Infinity;
  if (isWaiting) return record.expires;
  if (record.answer !== undefined && hasTaken(record, 'sent')) {
    return Math.min(sendAt ?? Infinity, record.expires + record.answer.within);
  }
  // The broker may have what is in flight: its end is awaited, whenever that is.
  return inFlight ? Infinity : Math.min(sendAt ?? Infinity, record.expires);
}

/**
 * Ends what has expired.
 *
 * @param hearingSince - when the connection was made by which answers come, in milliseconds since 1970; undefined: there
 * is none
 * @returns whether it is to be sent now
 */
export function timePassed(action: LivingAction, clock: Clock, hearingSince: number | undefined): boolean {
  const { record, inFlight, sendAt, isWaiting } = action;
  const now = clock.now();
  if (isFinal(record)) return false;
  if (now < record.expires) return !inFlight && !isWaiting && sendAt !== undefined && now >= sendAt;
  action.sendAt = undefined;
  if (!hasTaken(record, 'sent')) fail(action, clock, 'expired', isWaiting ? WAITED : 'it could not be sent in time');
  else if (record.answer !== undefined) {
    // The device may have performed it just in time, and its answer be on the way, or wait at the broker.
    const awaited = Math.max(record.expires, hearingSince ?? Infinity) + record.answer.within;
    if (now >= awaited) fail(action, clock, 'unacknowledged', 'it was sent, and the device did not answer');
  } else if (!inFlight) {
    fail(action, clock, 'expired', 'the broker did not take it in time');
  }
  return false;
}

/** Ends what can neither be sent nor heard of any more, since its node has another broker. */
export function abandon(action: LivingAction, clock: Clock): void {
  const { record } = action;
  if (isFinal(record)) return;
  const wasNeverTaken = !hasTaken(record, 'sent') || (record.isBack === true && record.answer === undefined);
  if (wasNeverTaken) fail(action, clock, 'expired', 'it had not been sent when its node was given another broker');
  else fail(action, clock, 'uncertain', 'its node was given another broker before it was known what became of it');
}

function finished(action: LivingAction, isRepeated: boolean, clock: Clock): void {
  const { record } = action;
  const { answer, expires, released = 0 } = record;
  // Of two PUBRELs nobody knows which one the broker has passed it on for: the one in time, or the late one.
  if (answer === undefined && (released >= expires || (isRepeated && clock.now() >= expires))) {
    fail(action, clock, 'uncertain', 'the broker may have passed it on so late that the device does not perform it');
    return;
  }
  if (!hasTaken(record, 'published')) take(action, 'published', clock);
  if (answer !== undefined) action.sendAt = clock.now() + answer.within;
}

function refused(action: LivingAction, reasonCode: number, clock: Clock): void {
  const { record } = action;
  const { reason, isPassing } = refusalOf(reasonCode);
  // What was refused was not taken: to send it again is safe.
  if (isPassing) {
    action.sendAt = clock.now() + BUSY_RETRY;
    record.isBack = true;
  } else if (!hasTaken(record, 'published')) fail(action, clock, 'refused', reason);
  else if (record.answer !== undefined) action.sendAt = clock.now() + record.answer.within;
}

function fail(action: LivingAction, clock: Clock, code: Failure['code'], reason: string): void {
  action.record.failure = { code, reason };
  action.sendAt = undefined;
  take(action, 'failed', clock);
}

function take({ record }: LivingAction, step: Step, clock: Clock): void {
  record.steps.push({ step, time: clock.next() });
}
