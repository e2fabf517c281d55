import type { ErrorObject } from 'ajv/dist/2020';
import { pointer } from './fault';
import type { Fault } from './fault';
import { shorten } from '../shorten';

/** Characters of a path: whoever sends a payload names its members. */
const LONGEST_PATH = 1000;

/** Words that differ between a registry document and a payload. */
export interface Wording {
  /** for a member that the schema does not list */
  unlisted: string;
  /** for a member that the schema forbids where it stands */
  forbidden: string;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'null',
};

/** Turns what ajv found into faults, at most so many: the path of the very member, and a reason in plain words. */
export function faultsOf(errors: readonly ErrorObject[], wording: Wording, most: number): Fault[] {
  const faults: Fault[] = [];
  for (const error of errors) {
    if (faults.length >= most) break;
    // These two only say that another error, which is there as well, counts.
    if (error.keyword === 'if' || error.keyword === 'propertyNames') continue;
    faults.push({ path: pathOf(error), reason: reasonFor(error, wording) });
  }
  return faults;
}

function pathOf(error: ErrorObject): string {
  const params = error.params as Record<string, unknown>;
  const member =
    params['missingProperty'] ?? params['additionalProperty'] ?? params['unevaluatedProperty'] ?? error.propertyName;
  return shorten(typeof member === 'string' ? error.instancePath + pointer(member) : error.instancePath, LONGEST_PATH);
}

function reasonFor(error: ErrorObject, wording: Wording): string {
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'required':
      return 'is missing';
    case 'dependentRequired':
      return `is missing beside ${String(params['property'])}`;
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return wording.unlisted;
    case 'false schema':
      return wording.forbidden;
    case 'type':
      return `must be ${typeNames(params['type'])}`;
    case 'enum':
      return `must be one of ${listed(params['allowedValues'])}`;
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`;
    case 'minLength':
      return `must have at least ${String(params['limit'])} characters`;
    case 'maxLength':
      return `must have at most ${String(params['limit'])} characters`;
    case 'pattern':
      return `must match the pattern ${String(params['pattern'])}`;
    case 'uniqueItems':
      return 'must not hold a value twice';
    case 'minItems':
    case 'minProperties':
      return params['limit'] === 1 ? 'must not be empty' : (error.message ?? error.keyword);
    default:
      return error.message ?? error.keyword;
  }
}

function typeNames(types: unknown): string {
  const names = Array.isArray(types) ? types : [types];
  return names.map((name) => TYPE_NAMES[String(name)] ?? String(name)).join(' or ');
}

function listed(values: unknown): string {
  if (!Array.isArray(values)) return '';
  return values.map((value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))).join(', ');
}
