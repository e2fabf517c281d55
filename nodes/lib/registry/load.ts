import { Columns } from './columns';
import { compileTopic, durationOf } from './compile-topic';
import type { Retentions } from './compile-topic';
import { documentFaults } from './document-schema';
import type { BucketDocument, RegistryDocument } from './document';
import { HOUR } from './durations';
import { pointer, segmentsOf } from './fault';
import type { Complain, Fault } from './fault';
import type { TopicFilter } from './filters';
import { SchemaCompiler } from './payload';
import { buildRegistry } from './registry';
import type { CompiledTopic, Registry } from './registry';
import { readSource } from './source';

export type { Fault } from './fault';

/**
 * Loads a registry document, YAML or JSON.
 *
 * @returns the registry, or every fault that the document has; never throws, whatever the text
 */
export function loadRegistry(text: string): { registry: Registry } | { faults: Fault[] } {
  const source = readSource(text);
  if ('faults' in source) return source;
  if (source.value === null) return { faults: [{ path: '', reason: 'the document is empty' }] };
  const faults = documentFaults(source.value);
  // The parts that satisfy the schema are checked further, so that one look shows every fault.
  const loaded = hasShape(source.value) ? loadParts(source.value, faults) : undefined;
  if (faults.length === 0 && loaded !== undefined) return { registry: buildRegistry(loaded.buckets, loaded.topics) };
  for (const fault of faults) {
    const line = source.lineOf(fault.path);
    if (line !== undefined) fault.line = line;
  }
  return { faults: faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) };
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
  return (segments, reason) => faults.push({ path: pointer(...base, ...segments), reason });
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
