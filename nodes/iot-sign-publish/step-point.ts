import type { ActionRecord, Failure, StepTaken } from '../lib/action/record';
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
      ...(step === 'failed' && failure && failureFields(failure, fields)),
    },
    time,
  };
}

/** An action may have a field `reason` of its own, of any type. */
function failureFields({ code, reason }: Failure, fields: Point['fields']): Point['fields'] {
  return {
    code: { type: 'string', value: code },
    ...(!Object.hasOwn(fields, 'reason') && { reason: { type: 'string', value: reason } }),
  };
}
