import type { ActionRecord, StepTaken } from '../lib/action/record';
import type { Point } from '../lib/point';

/** What a step of an action is logged as: the row of the action, with the step as a tag and its own time. */
export function stepPoint({ id, point, failure }: ActionRecord, { step, time }: StepTaken): Point | undefined {
  if (point === undefined) return undefined;
  const { bucket, measurement, tags, fields } = point;
  return {
    bucket,
    measurement,
    tags: { ...tags, step },
    fields: {
      ...fields,
      id: { type: 'string', value: id },
      ...(step === 'failed' && failure && { code: { type: 'string', value: failure.code } }),
    },
    time,
  };
}
