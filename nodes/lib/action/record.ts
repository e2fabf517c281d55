import type { Kind, Point } from '../point';
import { parseJson } from '../store/json';

/** The steps of an action's life. `published`: the broker has it. `acknowledged`: the device has said so. */
export type Step = 'created' | 'sent' | 'published' | 'acknowledged' | 'failed';

/**
 * Why an action was given up once it was created. `expired`: the broker never had it. `superseded`: a newer one has taken
 * its place. `not-performed`: the device says so.
 */
export type FailureCode = 'expired' | 'refused' | 'superseded' | 'not-performed' | 'uncertain' | 'unacknowledged';

export interface Failure {
  code: FailureCode;
  /** For the operator. */
  reason: string;
}

/** A step that was taken. */
export interface StepTaken {
  step: Step;
  /** Nanoseconds since 1970, as decimal digits; no two steps of one process share it, while its clock is not set back. */
  time: string;
}

/**
 * What is stored of a message until it has come to its end: an action, or an alarm, which has no device to answer it.
 * It is stored whole, and sent again byte for byte.
 */
export interface ActionRecord {
  id: string;
  kind: Exclude<Kind, 'sensor'>;
  /** Id of the node that made it. */
  node: string;
  /** `_msgid` of the message that it was made of. */
  origin: string;
  topic: string;
  device?: string;
  /** The signed message. */
  message: string;
  /** Milliseconds since 1970. */
  created: number;
  /** Milliseconds since 1970, from which on it is not sent any more. */
  expires: number;
  /** The device's answer: where it comes from, and after how many milliseconds without it the message is sent again. */
  answer?: { topic: string; within: number };
  /** What its steps are logged as; without time. */
  point?: Omit<Point, 'time'>;
  steps: StepTaken[];
  /** When the broker was told to pass it on, in milliseconds since 1970. */
  released?: number;
  /** The broker has refused it for the moment, and does not have it. */
  isBack?: true;
  failure?: Failure;
  /** The payload of the device's answer. */
  acknowledgement?: Record<string, unknown>;
}

/** The step that was taken last. */
export function stateOf({ steps }: ActionRecord): Step {
  return steps.at(-1)?.step ?? 'created';
}

export function hasTaken({ steps }: ActionRecord, step: Step): boolean {
  return steps.some((taken) => taken.step === step);
}

/** Whether it has come to its end; to one that has failed, the device may still answer. */
export function isFinal(record: ActionRecord): boolean {
  const state = stateOf(record);
  return state === 'acknowledged' || state === 'failed' || (state === 'published' && record.answer === undefined);
}

export function encodeAction(record: ActionRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/** Undefined for what no release has written. */
export function decodeAction(value: Buffer): ActionRecord | undefined {
  const record = parseJson(value) as Partial<ActionRecord> | null | undefined;
  return typeof record?.id === 'string' && Array.isArray(record.steps) ? (record as ActionRecord) : undefined;
}
