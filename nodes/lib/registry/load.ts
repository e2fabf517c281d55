import { Columns } from './columns';
import { compileTopic, durationOf } from './compile-topic';
import type { Retentions } from './compile-topic';
import { documentFaults } from './document-schema';
import type { BucketDocument, RegistryDocument } from './document';
import { HOUR } from './durations';
import { MOST_FAULTS, pointer, segmentsOf } from './fault';
import type { Complain, Fault } from './fault';
import type { TopicFilter } from './filters';
import { SchemaCompiler } from './payload';
import { buildRegistry } from './registry';
import type { CompiledTopic, Registry } from './registry';
import { readSource } from './source';
import type { Source } from './source';
import { warningsOf } from './warnings';

export type { Fault } from './fault';

/** A registry, with what is legal in its document and surely not meant; or what is wrong with it. */
export type LoadedRegistry = { registry: Registry; warnings: Fault[] } | { faults: Fault[] };

/** A document as plain values that have no fault; or its faults. */
export type ReadDocument = { value: unknown; topics: number; warnings: Fault[] } | { faults: Fault[] };

/**
 * Loads a registry document, YAML or JSON.
 *
 * @returns the registry, or the faults that the document has; never throws, whatever the text
 */
export function loadRegistry(text: string): LoadedRegistry {
  const read = readParts(text);
  return 'faults' in read
    ? read
    : { registry: buildRegistry(read.parts.buckets, read.parts.topics), warnings: read.warnings };
}

/** Reads a registry document as far as another thread can do it. Never throws. */
export function readDocument(text: string): ReadDocument {
  const read = readParts(text);
  return 'faults' in read ? read : { value: read.value, topics: read.parts.topics.length, warnings: read.warnings };
}

/** The registry of a document that {@link readDocument} has found no fault with. */
export function registryOf(value: unknown): Registry {
  const { buckets, topics } = loadParts(value as ShapedDocument, []);
  return buildRegistry(buckets, topics);
}

function readParts(text: string): { value: unknown; parts: Parts; warnings: Fault[] } | { faults: Fault[] } {
  const source = readSource(text);
  if ('faults' in source) return source;
  if (source.value === null) return { faults: [{ path: '', reason: 'the document is empty' }] };
  const faults = documentFaults(source.value);
  // The parts that satisfy the schema are checked further, so that one look shows every fault.
  const parts = hasShape(source.value) ? loadParts(source.value, faults) : undefined;
  if (faults.length === 0 && parts !== undefined) {
    return {
      value: source.value,
      parts,
      warnings: located(warningsOf(source.value as RegistryDocument, parts.topics), source),
    };
  }
  return { faults: located(faults, source) };
}

/** Adds the lines and sorts by them; says that there are more, where there are. */
function located(faults: Fault[], source: Source): Fault[] {
  for (const fault of faults) {
    const line = source.lineOf(fault.path);
    if (line !== undefined) fault.line = line;
  }
  faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (faults.length >= MOST_FAULTS) {
    faults[MOST_FAULTS - 1] = { path: '', reason: `and more: the first ${MOST_FAULTS - 1} are told` };
  }
  return faults;
}

/** A document whose parts may still have faults. */
type ShapedDocument = Pick<RegistryDocument, 'buckets' | 'topics'>;

function hasShape(document: unknown): document is ShapedDocument {
  const { buckets, topics } = Object(document) as Record<string, unknown>;
  return [buckets, topics].every((part) => typeof part === 'object' && part !== null && !Array.isArray(part));
}

interface Parts {
  buckets: Map<string, { retention: number }>;
  topics: CompiledTopic[];
}

/** Checks what the JSON Schema has found no fault with; adds to the faults. */
function loadParts(document: ShapedDocument, faults: Fault[]): Parts {
  const broken = new Set(faults.map(({ path }) => pointer(...segmentsOf(path).slice(0, 2))));
  const retentions = retentionsOf(document.buckets, broken, faults);
  const compiler = new SchemaCompiler();
  const columns = new Columns();
  const shapes = new Map<string, string>();
  const topics: CompiledTopic[] = [];
  for (const [text, topic] of Object.entries(document.topics)) {
    if (broken.has(pointer('topics', text))) continue;
    const complain = reporter(faults, 'topics', text);
    const compiled = compileTopic(text, topic, retentions, compiler, complain);
    if (compiled === undefined) continue;
    checkShape(compiled.filter, [], shapes, complain);
    if (compiled.acknowledge !== undefined)
      checkShape(compiled.acknowledge, ['acknowledge', 'topic'], shapes, complain);
    columns.add(compiled.entry, topic.fields === undefined ? ['schema', 'properties'] : ['fields'], complain);
    topics.push(compiled);
  }
  const buckets = new Map<string, { retention: number }>();
  for (const [name, retention] of retentions)
    if (retention !== undefined) buckets.set(name, { retention: retention / 1000 });
  return { buckets, topics };
}

function reporter(faults: Fault[], ...base: readonly string[]): Complain {
  return (segments, reason) => {
    if (faults.length < MOST_FAULTS) faults.push({ path: pointer(...base, ...segments), reason });
  };
}

function retentionsOf(
  buckets: Readonly<Record<string, BucketDocument>>,
  broken: ReadonlySet<string>,
  faults: Fault[],
): Retentions {
  const retentions = new Map<string, number | undefined>();
  for (const [name, bucket] of Object.entries(buckets)) {
    if (broken.has(pointer('buckets', name))) {
      retentions.set(name, undefined);
      continue;
    }
    const complain = reporter(faults, 'buckets', name);
    const retention = durationOf(bucket.retention, ['retention'], complain);
    if (retention < HOUR) complain(['retention'], 'must be at least 1h: no InfluxDB keeps points for less');
    retentions.set(name, retention < HOUR ? undefined : retention);
  }
  return retentions;
}

/** Two filters that match the same topics with the same precedence cannot be told apart. */
function checkShape(
  { text, shape }: TopicFilter,
  segments: readonly string[],
  shapes: Map<string, string>,
  complain: Complain,
): void {
  const earlier = shapes.get(shape);
  if (earlier === undefined) shapes.set(shape, text);
  else complain(segments, `matches the same topics as ${earlier}; they cannot be told apart`);
}
