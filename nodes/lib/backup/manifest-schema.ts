import { Ajv2020 } from 'ajv/dist/2020';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020';
import { HOURS, isDay, type Day } from './days';
import { parseCopyName } from './layout';
import type { Manifest } from './manifest';

const LONGEST_TEXT = 4096;
const MOST_MEASUREMENTS = 100;

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const hour = { type: 'integer', minimum: 0, maximum: HOURS - 1 };
const nanoseconds = { type: 'string', maxLength: 20, pattern: '^-?[0-9]{1,19}$' };
const moment = { type: 'string', maxLength: 30 };
const hourSum = {
  anyOf: [
    { type: 'null' },
    {
      type: 'array',
      minItems: 2,
      maxItems: 2,
      items: false,
      prefixItems: [
        { ...count, minimum: 1 },
        { type: 'string', maxLength: 16 },
      ],
    },
  ],
};
const pairs = (second: object): object => ({
  type: 'array',
  maxItems: HOURS,
  items: { type: 'array', minItems: 2, maxItems: 2, items: false, prefixItems: [hour, second] },
});

/** Members that are not listed are left out: a later release may have added them. */
const SCHEMA = {
  type: 'object',
  required: ['version', 'bucket', 'place', 'days'],
  properties: {
    version: { const: 1 },
    bucket: { type: 'string', maxLength: LONGEST_TEXT },
    place: { type: 'string', maxLength: LONGEST_TEXT },
    unfinished: moment,
    days: {
      type: 'object',
      propertyNames: { maxLength: 10, pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' },
      additionalProperties: {
        type: 'object',
        required: ['file', 'points', 'bytes', 'sha256', 'first', 'last', 'written', 'checked', 'hours'],
        properties: {
          file: { type: 'string', maxLength: 64 },
          points: { ...count, minimum: 1 },
          bytes: count,
          sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
          first: nanoseconds,
          last: nanoseconds,
          written: moment,
          checked: moment,
          hours: { type: 'array', minItems: HOURS, maxItems: HOURS, items: hourSum },
          seen: pairs(hourSum),
          missing: {
            type: 'object',
            maxProperties: MOST_MEASUREMENTS,
            additionalProperties: pairs(count),
          },
        },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
};

let compiled: ValidateFunction<Manifest> | undefined;

/** The manifest, or the reason for which it is none: nothing of it may be used then. */
export function manifestOf(value: unknown): Manifest | string {
  compiled ??= new Ajv2020({ ownProperties: true, removeAdditional: true, strictTypes: false }).compile<Manifest>(
    SCHEMA,
  );
  if (!compiled(value)) return schemaFault(compiled.errors ?? []);
  if (value.unfinished !== undefined && !isMoment(value.unfinished)) return '/unfinished is not a time';
  for (const [name, { file, sha256, written, checked }] of Object.entries(value.days)) {
    if (!isDay(name)) return `/days/${String(name)} is not a day`;
    const day: Day = name;
    const named = parseCopyName(file);
    // Whatever is removed, renamed or read is what this names: it must be a copy of its own day, in this very folder.
    if (named?.day !== day || !sha256.startsWith(named.sum)) return `/days/${day}/file is not the name of its copy`;
    if (!isMoment(written) || !isMoment(checked)) return `/days/${day} has a time that is none`;
  }
  return value;
}

function isMoment(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

/** Where it is wrong, without a word of what stands there. */
function schemaFault([error]: readonly ErrorObject[]): string {
  if (!error) return 'it is not a manifest';
  return `${error.instancePath.slice(0, 80) || 'it'} ${error.message ?? 'is wrong'}`;
}
