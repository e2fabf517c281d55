import type { FieldType } from '../point';

/** Columns of the measurement that changes of alarms, and silence, are rows of; see `alarm-state`. */
export const EVENT_COLUMNS: Readonly<Record<string, FieldType>> = {
  event: 'string',
  state: 'string',
  acknowledged: 'boolean',
  silent: 'boolean',
  count: 'integer',
  severity: 'string',
  by: 'string',
};

/** Where they are, unless the topic says otherwise. */
export function defaultEvents(measurement: string): string {
  return `${measurement}_events`;
}
