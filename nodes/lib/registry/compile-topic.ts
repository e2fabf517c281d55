import { reasonOf } from '../errors';
import type { AggregateDocument, TopicDocument } from './document';
import { HOUR, LONGEST_DURATION, durationText, parseDuration } from './durations';
import { defaultEvents } from './events';
import type { Complain } from './fault';
import { fieldsOf } from './fields';
import { parseFilter } from './filters';
import type { TopicFilter } from './filters';
import type { FieldFormat, PayloadFormat, SchemaCompiler } from './payload';
import type { Aggregate, CompiledTopic, TopicEntry, Window } from './registry';
import { capturesOf, parseTemplate } from './templates';
import type { Template } from './templates';

/** How far a device's clock may be ahead, unless the document says otherwise. */
const DEFAULT_FUTURE = 60_000;
/** Raw data must outlive its window by the window's length again, and by this at least, for late points and outages. */
const LEAST_MARGIN = 600_000;

/** Retention of a bucket in milliseconds; undefined for one whose declaration has a fault of its own. */
export type Retentions = ReadonlyMap<string, number | undefined>;

/**
 * Turns one topic of a document that satisfies the JSON Schema into an entry, and reports what the schema cannot see.
 *
 * @returns undefined when the entry has a fault; every one has been reported
 */
export function compileTopic(
  text: string,
  document: TopicDocument,
  retentions: Retentions,
  compiler: SchemaCompiler,
  report: Complain,
): CompiledTopic | undefined {
  let faults = 0;
  const complain: Complain = (segments, reason) => {
    faults += 1;
    report(segments, reason);
  };
  const parsed = parseFilter(text);
  if (typeof parsed === 'string') complain([], parsed);
  const filter = typeof parsed === 'string' ? undefined : parsed;
  if (!retentions.has(document.bucket)) complain(['bucket'], `"${document.bucket}" is not among the buckets`);
  const device = document.device === undefined ? undefined : templateOf(document.device, ['device'], filter, complain);
  const tags = tagsOf(document, filter, complain);
  const fields = fieldsOf(document, complain);
  const format = formatOf(document, fields, compiler, complain);
  const window = windowOf(document, retentions.get(document.bucket), complain);
  const aggregates = (document.aggregate ?? []).map((aggregate, index) =>
    aggregateOf(aggregate, document, fields, retentions, (segments, reason) =>
      complain(['aggregate', index, ...segments], reason),
    ),
  );
  const answer = acknowledgementOf(document, filter, device, complain);
  const interval = document.interval === undefined ? undefined : durationOf(document.interval, ['interval'], complain);
  const clearAfter =
    document.clear_after === undefined ? undefined : durationOf(document.clear_after, ['clear_after'], complain);
  const within = document.acknowledge && durationOf(document.acknowledge.within, ['acknowledge', 'within'], complain);
  if (faults > 0 || filter === undefined || format === undefined) return undefined;
  const entry: TopicEntry = {
    filter: text,
    kind: document.kind,
    device: document.device,
    bucket: document.bucket,
    measurement: document.measurement,
    tags: document.tags ?? {},
    format,
    interval,
    clearAfter,
    severities: severitiesOf(fields),
    events: eventsOf(document),
    window,
    aggregates,
    acknowledge:
      document.acknowledge === undefined || within === undefined
        ? undefined
        : { topic: document.acknowledge.topic, within },
    supersede: document.supersede ?? false,
  };
  return { entry, filter, device, tags, acknowledge: answer };
}

function severitiesOf(fields: readonly FieldFormat[]): string[] {
  const severity = fields.find(({ name, type }) => name === 'severity' && type === 'string');
  return (severity?.enum ?? []).map(String);
}

/** Sensors have events if they are watched for silence. */
function eventsOf({ kind, interval, events, measurement }: TopicDocument): string | undefined {
  if (kind === 'action' || (kind === 'sensor' && interval === undefined)) return undefined;
  return events ?? defaultEvents(measurement);
}

/** Milliseconds of a duration; reports one that is too long. */
export function durationOf(text: string, segments: readonly string[], complain: Complain): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) complain(segments, `must be at most ${durationText(LONGEST_DURATION)}`);
  return milliseconds ?? LONGEST_DURATION;
}

function templateOf(
  text: string,
  segments: readonly string[],
  filter: TopicFilter | undefined,
  complain: Complain,
): Template {
  const template = parseTemplate(text);
  if (template === undefined) complain(segments, 'has braces that are no capture: {name}');
  else if (filter !== undefined) {
    for (const name of new Set(capturesOf(template))) {
      if (!filter.captures.has(name)) complain(segments, `{${name}} is not captured by the topic`);
    }
  }
  return template ?? [];
}

function tagsOf(document: TopicDocument, filter: TopicFilter | undefined, complain: Complain): [string, Template][] {
  return Object.entries(document.tags ?? {}).map(([name, text]) => [
    name,
    templateOf(text, ['tags', name], filter, complain),
  ]);
}

function formatOf(
  { kind, schema, additional = 'refuse' }: TopicDocument,
  fields: readonly FieldFormat[],
  compiler: SchemaCompiler,
  complain: Complain,
): PayloadFormat | undefined {
  try {
    return compiler.formatOf({ kind, fields, schema, additional });
  } catch (error) {
    complain(['schema'], `cannot be used as a JSON Schema: ${reasonOf(error)}`);
    return undefined;
  }
}

function windowOf({ kind, bucket, window }: TopicDocument, retention: number | undefined, complain: Complain): Window {
  const past = window?.past === undefined ? undefined : durationOf(window.past, ['window', 'past'], complain);
  const future = window?.future === undefined ? undefined : durationOf(window.future, ['window', 'future'], complain);
  if (past !== undefined && retention !== undefined && past > retention) {
    const keeps = durationText(retention);
    complain(['window', 'past'], `must not be longer than bucket "${bucket}" keeps points: ${keeps}`);
  }
  const usual = kind === 'sensor' ? (retention ?? HOUR) : HOUR;
  return { past: past ?? usual, future: future ?? DEFAULT_FUTURE };
}

function aggregateOf(
  aggregate: AggregateDocument,
  { bucket }: TopicDocument,
  fields: readonly FieldFormat[],
  retentions: Retentions,
  complain: Complain,
): Aggregate {
  const { functions, into } = aggregate;
  const every = durationOf(aggregate.every, ['every'], complain);
  const needed = every + Math.max(every, LEAST_MARGIN);
  const require = (name: string, segment: string, what: string): void => {
    const retention = retentions.get(name);
    if (retention === undefined || retention >= needed) return;
    const keeps = `bucket "${name}" keeps points for ${durationText(retention)}`;
    complain([segment], `windows of ${durationText(every)} need ${what} for ${durationText(needed)}, but ${keeps}`);
  };
  require(bucket, 'every', 'raw points');
  if (!retentions.has(into)) complain(['into'], `"${into}" is not among the buckets`);
  else if (into === bucket) complain(['into'], 'must be another bucket than the one that holds the raw points');
  else require(into, 'into', 'their results');
  return { every, functions, into, fields: aggregatedFields(aggregate, fields, complain) };
}

function aggregatedFields(
  { fields: wanted }: AggregateDocument,
  fields: readonly FieldFormat[],
  complain: Complain,
): string[] {
  const numeric = fields.filter(({ type }) => type === 'float' || type === 'integer').map(({ name }) => name);
  if (wanted === undefined) {
    if (numeric.length === 0) complain(['functions'], 'need numeric fields, and the topic has none');
    return numeric;
  }
  for (const [index, name] of wanted.entries()) {
    if (!numeric.includes(name)) complain(['fields', index], `"${name}" is no numeric field of the topic`);
  }
  return wanted;
}

function acknowledgementOf(
  { acknowledge }: TopicDocument,
  filter: TopicFilter | undefined,
  device: Template | undefined,
  complain: Complain,
): TopicFilter | undefined {
  if (acknowledge === undefined) return undefined;
  const answer = parseFilter(acknowledge.topic);
  const segments = ['acknowledge', 'topic'];
  if (typeof answer === 'string') {
    complain(segments, answer);
    return undefined;
  }
  if (answer.levels.some(({ sort }) => sort === 'any' || sort === 'rest')) {
    complain(segments, 'must name every level: "+" and "#" cannot tell which action is answered');
  }
  for (const name of answer.captures.keys()) {
    if (filter !== undefined && !filter.captures.has(name)) {
      complain(segments, `{${name}} is not captured by the topic`);
    }
  }
  for (const name of new Set(capturesOf(device ?? []))) {
    if (!answer.captures.has(name)) complain(segments, `must capture {${name}}, which is part of the device id`);
  }
  return answer;
}
