import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020';
import type { Fault } from './fault';
import { MOST_FAULTS } from './fault';
import { faultsOf } from './schema-faults';

/** The published JSON Schema; the path is the same from nodes/lib/registry and from dist/lib/registry. */
const SCHEMA_FILE = join(__dirname, '../../../resources/registry.schema.json');

const WORDING = { unlisted: 'is not known here', forbidden: 'does not go with this kind or type' };

export const FIELD_NAME_REASON =
  'is no name for a field: not empty, not "time", "ts" or "ts_ns", no "_" in front, no line breaks or "\\\\" at the end';

/** What to say instead of a pattern that does not match, by the schema's own definitions. */
const PATTERN_REASONS: Readonly<Record<string, string>> = {
  duration: 'must be a duration such as 10s, 5m, 1h, 1d or 2w',
  bucketName: 'is no bucket name: it may hold letters, digits, "_" and "-", and starts with a letter or digit',
  measurementName:
    'is no name for a measurement: not empty, not "time", no "_" or "#" in front, no braces, line breaks or "\\" at the end',
  tagName: 'is no name for a tag: not empty, not "time", no "_" in front, no line breaks or "\\" at the end',
  fieldName: FIELD_NAME_REASON,
  tagValue: 'cannot be stored as a tag: not empty, no line breaks, no "\\" at the end',
};

/** Values of a document, all of whose errors can be found in some milliseconds. */
const SMALL = 2000;

interface DocumentSchema {
  /** Ends with the first error. */
  first: ValidateFunction;
  all: ValidateFunction;
  fieldName: RegExp;
}

let loaded: DocumentSchema | undefined;

/** Whether InfluxDB, and the signed message, can have a field of this name. */
export function isFieldName(name: string): boolean {
  return documentSchema().fieldName.test(name);
}

/** Checks a document against the published JSON Schema. */
export function documentFaults(document: unknown): Fault[] {
  const { first, all } = documentSchema();
  if (first(document)) return [];
  if (isSmall(document)) return faultsOfErrors(all, document);
  // Ajv copies all errors so far for each further one: a large document is judged topic by topic.
  const faults = new Map<string, Fault>();
  for (const part of partsOf(document)) {
    for (const fault of faultsOfErrors(isSmall(part) ? all : first, part))
      faults.set(`${fault.path} ${fault.reason}`, fault);
    if (faults.size >= MOST_FAULTS) break;
  }
  return faults.size > 0 ? [...faults.values()].slice(0, MOST_FAULTS) : faultsOfErrors(first, document);
}

/** The document with each of its topics alone. */
function* partsOf(document: unknown): Generator {
  const { topics } = Object(document) as Record<string, unknown>;
  if (typeof topics !== 'object' || topics === null || Array.isArray(topics)) {
    yield document;
    return;
  }
  const rest = document as Record<string, unknown>;
  yield { ...rest, topics: {} };
  for (const [filter, topic] of Object.entries(topics)) yield { ...rest, topics: { [filter]: topic as unknown } };
}

/** Whether a document has so few values that all its errors can be asked for. */
function isSmall(document: unknown): boolean {
  let left = SMALL;
  const due = [document];
  for (let value = due.pop(); due.length > 0 || value !== undefined; value = due.pop()) {
    left -= 1;
    if (left < 0) return false;
    if (typeof value !== 'object' || value === null) continue;
    const members: unknown[] = Object.values(value);
    if (members.length > left) return false;
    for (const member of members) due.push(member);
  }
  return true;
}

function faultsOfErrors(validate: ValidateFunction, document: unknown): Fault[] {
  if (validate(document)) return [];
  const errors = validate.errors ?? [];
  const faults: Fault[] = [];
  for (const error of errors) {
    if (faults.length >= MOST_FAULTS) break;
    // The alternatives of anyOf are named by the anyOf error itself.
    if (error.schemaPath.includes('/anyOf/')) continue;
    const reason = ownReason(error);
    for (const fault of faultsOf([error], WORDING, 1)) faults.push(reason === undefined ? fault : { ...fault, reason });
  }
  return faults;
}

function ownReason(error: ErrorObject): string | undefined {
  if (error.keyword === 'anyOf') return 'needs fields, or a schema';
  if (error.keyword === 'type' && isTemplatePath(error)) {
    return 'must be a string; a capture needs quotes: "{name}"';
  }
  const definition = /^#\/\$defs\/(\w+)\/(?:pattern|type)$/.exec(error.schemaPath)?.[1];
  return definition === undefined ? undefined : PATTERN_REASONS[definition];
}

/** Without quotes, YAML reads {name} as a map. */
function isTemplatePath(error: ErrorObject): boolean {
  return /\/(?:tags\/[^/]*|device|topic)$/.test(error.instancePath) && error.params['type'] === 'string';
}

function documentSchema(): DocumentSchema {
  if (loaded !== undefined) return loaded;
  const schema = JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')) as { $defs: { fieldName: { pattern: string } } };
  const options = { ownProperties: true, strictTypes: false, strictRequired: false };
  const first = new Ajv2020(options).compile(schema);
  const all = new Ajv2020({ ...options, allErrors: true }).compile(schema);
  loaded = { first, all, fieldName: new RegExp(schema.$defs.fieldName.pattern, 'u') };
  return loaded;
}
