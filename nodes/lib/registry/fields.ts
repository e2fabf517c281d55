import type { FieldType } from '../point';
import { FIELD_NAME_REASON, isFieldName } from './document-schema';
import type { FieldDocument, JsonSchema, TopicDocument } from './document';
import type { Complain } from './fault';
import type { FieldFormat } from './payload';

/** The fields of a topic: its `fields`, or else the properties of its `schema`. */
export function fieldsOf(document: TopicDocument, complain: Complain): FieldFormat[] {
  const { fields, schema } = document;
  if (fields === undefined) return fieldsOfSchema(schema ?? {}, complain);
  return Object.entries(fields).map(([name, field]) => {
    checkField(field, (segments, reason) => complain(['fields', name, ...segments], reason));
    return { ...field, name, optional: field.optional ?? false };
  });
}

function checkField(field: FieldDocument, complain: Complain): void {
  const { minimum, maximum, minLength, maxLength, pattern } = field;
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    complain(['minimum'], 'must not be above maximum');
  }
  if (minLength !== undefined && maxLength !== undefined && minLength > maxLength) {
    complain(['minLength'], 'must not be above maxLength');
  }
  if (pattern !== undefined && !isPattern(pattern)) complain(['pattern'], 'is no regular expression');
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

const SCHEMA_TYPES: Readonly<Partial<Record<string, FieldType>>> = {
  number: 'float',
  integer: 'integer',
  boolean: 'boolean',
  string: 'string',
};

/**
 * The fields that a JSON Schema stands for: one for each of its properties, which must have one scalar type (itself or
 * through a `$ref` to the schema's own `$defs`), so that InfluxDB always gets the same one. number is stored as float.
 * The properties of the signed message itself, ts and ts_ns, are no fields.
 */
function fieldsOfSchema(schema: JsonSchema, complain: Complain): FieldFormat[] {
  const properties = schema['properties'];
  if (!isObject(properties)) {
    complain(['schema'], 'must list its properties, or fields must say what is stored');
    return [];
  }
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const fields: FieldFormat[] = [];
  for (const [name, property] of Object.entries(properties)) {
    if (name === 'ts' || name === 'ts_ns') continue;
    const type = scalarType(property, schema);
    if (!isFieldName(name)) complain(['schema', 'properties', name], FIELD_NAME_REASON);
    else if (type === undefined) {
      complain(
        ['schema', 'properties', name],
        'must have one type (number, integer, boolean or string), as a field of InfluxDB has',
      );
    } else fields.push({ name, type, optional: !required.includes(name) });
  }
  if (Object.keys(properties).length === 0) complain(['schema', 'properties'], 'must not be empty');
  return fields;
}

function scalarType(property: unknown, schema: JsonSchema): FieldType | undefined {
  const resolved = resolveReference(property, schema);
  const type = resolved?.['type'];
  return typeof type === 'string' && Object.hasOwn(SCHEMA_TYPES, type) ? SCHEMA_TYPES[type] : undefined;
}

/** Follows references such as `#/$defs/temperature`; a chain of them ends after a few steps. */
function resolveReference(property: unknown, schema: JsonSchema): JsonSchema | undefined {
  let current = property;
  for (let steps = 0; steps < 8; steps += 1) {
    if (!isObject(current)) return undefined;
    const reference = current['$ref'];
    if (typeof reference !== 'string' || current['type'] !== undefined) return current;
    const name = /^#\/\$defs\/([^/~%]+)$/.exec(reference)?.[1];
    const definitions = schema['$defs'];
    if (name === undefined || !isObject(definitions) || !Object.hasOwn(definitions, name)) return undefined;
    current = definitions[name];
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
