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

interface DocumentSchema {
  validate: ValidateFunction;
  fieldName: RegExp;
}

let loaded: DocumentSchema | undefined;

/** Whether InfluxDB, and the signed message, can have a field of this name. */
export function isFieldName(name: string): boolean {
  return documentSchema().fieldName.test(name);
}

/** Checks a document against the published JSON Schema. */
export function documentFaults(document: unknown): Fault[] {
  const { validate } = documentSchema();
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
  const ajv = new Ajv2020({ allErrors: true, ownProperties: true, strictTypes: false, strictRequired: false });
  loaded = { validate: ajv.compile(schema), fieldName: new RegExp(schema.$defs.fieldName.pattern, 'u') };
  return loaded;
}
