import { Ajv2020 } from 'ajv/dist/2020';
import type { ValidateFunction } from 'ajv/dist/2020';
import { reasonOf } from '../errors';
import type { FieldType, Kind } from '../point';
import type { FieldDocument, JsonSchema } from './document';
import type { Fault } from './fault';
import { patternOf } from './linear-pattern';
import { faultsOf } from './schema-faults';

/** A field of the point that a payload becomes. */
export interface FieldFormat extends Readonly<FieldDocument> {
  readonly name: string;
  readonly type: FieldType;
  readonly optional: boolean;
}

/** What payloads of a topic must look like, beside `ts` and `ts_ns`. */
export interface PayloadRules {
  kind: Kind;
  fields: readonly FieldFormat[];
  /** The user's own JSON Schema, beside the fields or where they come from. */
  schema: JsonSchema | undefined;
  additional: 'refuse' | 'drop';
}

const WORDING = { unlisted: 'is not registered', forbidden: 'is not allowed' };
/** Faults shown of one payload; a hostile one can have thousands. */
const FAULTS_SHOWN = 20;
const NO_FAULTS: readonly Fault[] = [];

/** The members that belong to the protocol: part of every payload, or of every action, whether listed or not. */
const SIGNED_TIME: Readonly<JsonSchema> = { ts: true, ts_ns: true };
const ACTION_MEMBERS: Readonly<JsonSchema> = { ...SIGNED_TIME, id: true, expires: true };

/** Checks payloads. Topics with the same rules share one of these. */
export class PayloadFormat {
  readonly fields: readonly FieldFormat[];
  private readonly rules: PayloadRules;
  private readonly compiler: SchemaCompiler;
  private readonly ownSchema: ValidateFunction | undefined;
  private ofFields: ValidateFunction | undefined;

  /** @throws Error when the user's schema is no JSON Schema */
  constructor(rules: PayloadRules, compiler: SchemaCompiler) {
    this.rules = rules;
    this.fields = rules.fields;
    this.compiler = compiler;
    this.ownSchema =
      rules.schema === undefined ? undefined : compiler.compile(withProtocolMembers(rules, rules.schema), true);
  }

  /** What is wrong with a payload; empty when nothing is. */
  check(payload: unknown): readonly Fault[] {
    // Compiled at first use: ten thousand topics with formats of their own must not hold up the start.
    this.ofFields ??= this.compileFields();
    const fits = this.ofFields(payload);
    if (fits && this.ownSchema === undefined) return NO_FAULTS;
    const faults = fits ? [] : faultsOf(this.ofFields.errors ?? [], WORDING, FAULTS_SHOWN);
    if (this.ownSchema !== undefined) addNew(faults, ownFaults(this.ownSchema, payload));
    return faults.slice(0, FAULTS_SHOWN);
  }

  private compileFields(): ValidateFunction {
    // Every object seems to have members such as `constructor`.
    const careful = this.fields.some(({ name }) => name in Object.prototype);
    return this.compiler.compile(schemaOfFields(this.rules), careful);
  }
}

/** Compiles JSON Schemas for one registry, so that all of it can be freed with the registry. */
export class SchemaCompiler {
  private fast: Ajv2020 | undefined;
  private careful: Ajv2020 | undefined;
  private readonly formats = new Map<string, PayloadFormat>();

  /** The format for these rules: one for each distinct text of them. Throws Error when the user's schema is none. */
  formatOf(rules: PayloadRules): PayloadFormat {
    const text = JSON.stringify([rules.kind === 'action', rules.additional, rules.fields, rules.schema]);
    let format = this.formats.get(text);
    if (format === undefined) {
      format = new PayloadFormat(rules, this);
      this.formats.set(text, format);
    }
    return format;
  }

  /**
   * @param careful whether a check must ask of each member if it is the object's own; takes three times as long
   * @throws Error when the schema is none
   */
  compile(schema: JsonSchema, careful: boolean): ValidateFunction {
    return (careful ? (this.careful ??= newAjv(true)) : (this.fast ??= newAjv(false))).compile(schema);
  }
}

function newAjv(careful: boolean): Ajv2020 {
  // Unknown keywords are faults: most are misspelt. `format` is an annotation, as JSON Schema 2020-12 has it.
  const strictness = {
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    validateFormats: false,
  } as const;
  // The fast one is for schemas made of fields, which the document's schema has checked: compiling JSON Schema's own
  // schema first, only to check them again, would hold up the first message.
  const trust = careful ? {} : { meta: false, validateSchema: false };
  const code = { regExp: patternEngine };
  const ajv = new Ajv2020({ ...strictness, ...trust, code, allErrors: true, ownProperties: careful, logger: false });
  // Ajv compares every two elements with each other.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    compile: (unique: boolean) => (unique ? hasNoneTwice : () => true),
  });
  return ajv;
}

/** How ajv makes regular expressions; `code` is for schemas compiled ahead of time, which these are not. */
const patternEngine = Object.assign((pattern: string) => patternOf(pattern), { code: 'patternOf' });

function hasNoneTwice(list: readonly unknown[]): boolean {
  return new Set(list.map(sortedText)).size === list.length;
}

/** Equal for values that JSON Schema takes for equal: members in any order. */
function sortedText(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

function schemaOfFields({ kind, fields, additional }: PayloadRules): JsonSchema {
  const members = fields.map((field) => [field.name, schemaOfField(field)] as const);
  return {
    type: 'object',
    properties: { ...(kind === 'action' ? ACTION_MEMBERS : SIGNED_TIME), ...Object.fromEntries(members) },
    required: ['ts', 'ts_ns', ...fields.filter(({ optional }) => !optional).map(({ name }) => name)],
    additionalProperties: additional === 'drop',
  };
}

const LIMITS = ['minimum', 'maximum', 'enum', 'minLength', 'maxLength', 'pattern'] as const;

function schemaOfField(field: FieldFormat): JsonSchema {
  const limits = LIMITS.filter((limit) => field[limit] !== undefined).map((limit) => [limit, field[limit]] as const);
  return { type: field.type === 'float' ? 'number' : field.type, ...Object.fromEntries(limits) };
}

function withProtocolMembers({ kind }: PayloadRules, schema: JsonSchema): JsonSchema {
  const own = typeof schema['properties'] === 'object' ? schema['properties'] : {};
  return { ...schema, properties: { ...(kind === 'action' ? ACTION_MEMBERS : SIGNED_TIME), ...own } };
}

function ownFaults(validate: ValidateFunction, payload: unknown): Fault[] {
  try {
    return validate(payload) ? [] : faultsOf(validate.errors ?? [], WORDING, FAULTS_SHOWN);
  } catch (error) {
    // A schema can refer to itself without end.
    return [{ path: '', reason: `the schema cannot be applied: ${reasonOf(error)}` }];
  }
}

function addNew(faults: Fault[], more: readonly Fault[]): void {
  for (const fault of more) {
    if (!faults.some(({ path, reason }) => path === fault.path && reason === fault.reason)) faults.push(fault);
  }
}
