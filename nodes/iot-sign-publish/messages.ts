import type { NodeMessage } from 'node-red';
import type { ActionRecord, Step } from '../lib/action/record';

/** `msg.action`. Times are in milliseconds since 1970. */
export interface ActionView {
  id: string;
  topic: string;
  device?: string;
  state: Step;
  created: number;
  expires: number;
  /** When each step was taken. */
  steps: Partial<Record<Step, number>>;
  /** What the device has answered. */
  acknowledgement?: Record<string, unknown>;
}

const NANOSECONDS = 1_000_000n;

/** What a flow sees of an action. */
export function viewOf(
  action: Omit<ActionRecord, 'steps'> & Partial<Pick<ActionRecord, 'steps'>>,
  state: Step,
): ActionView {
  const { id, topic, device, created, expires, steps = [], acknowledgement } = action;
  return {
    id,
    topic,
    ...(device !== undefined && { device }),
    state,
    created,
    expires,
    steps: Object.fromEntries(steps.map(({ step, time }) => [step, Number(BigInt(time) / NANOSECONDS)])),
    ...(acknowledgement && { acknowledgement }),
  };
}

/** The message that tells of a step. Made of what is stored, so that it is the same before and after a restart. */
export function actionMessage(action: ActionRecord, state: Step): NodeMessage {
  const { payload } = JSON.parse(action.message) as { payload: Record<string, unknown> };
  return {
    _msgid: action.origin,
    topic: action.topic,
    payload,
    kind: action.kind,
    action: viewOf(action, state),
  };
}
