import { BoundedCache } from '../bounded-cache';
import type { Kind } from '../point';
import type { AggregateFunction } from './document';
import { MAXIMUM_LEVELS } from './filters';
import type { TopicFilter } from './filters';
import type { PayloadFormat } from './payload';
import { bindTemplate, fillTemplate } from './templates';
import type { BoundTemplate, Template } from './templates';
import { TopicTree } from './topic-tree';

/** What a topic carries: the kind of its entry, or the answer of a device to an action. */
export type MatchKind = Kind | 'acknowledgement';

/** How far a signed time may be from now, in milliseconds. */
export interface Window {
  past: number | undefined;
  future: number;
}

/** One entry of `topics` in the registry document. */
export interface TopicEntry {
  /** The topic filter as written; the key of the entry. */
  readonly filter: string;
  readonly kind: Kind;
  /** Template of the device id. */
  readonly device: string | undefined;
  readonly bucket: string;
  readonly measurement: string;
  /** Templates of the tags. */
  readonly tags: Readonly<Record<string, string>>;
  readonly format: PayloadFormat;
  /** How often a message is expected, in milliseconds. */
  readonly interval: number | undefined;
  /** When an alarm ends that nobody has cleared, in milliseconds. */
  readonly clearAfter: number | undefined;
  /** Severities of an alarm, from the least to the greatest. */
  readonly severities: readonly string[];
  /** Measurement of the changes of the alarm, and of silence; undefined where there are none. */
  readonly events: string | undefined;
  readonly window: Readonly<Window>;
  readonly aggregates: readonly Aggregate[];
  readonly acknowledge: { readonly topic: string; /** milliseconds */ readonly within: number } | undefined;
  /** A new action ends the older ones of its topic, instead of waiting for them. */
  readonly supersede: boolean;
}

export interface Aggregate {
  /** Length of a window in milliseconds. */
  readonly every: number;
  readonly functions: readonly AggregateFunction[];
  /** Bucket of the results. */
  readonly into: string;
  /** Names of the fields to aggregate; all are numeric. */
  readonly fields: readonly string[];
}

/**
 * Where the points of a topic go, and what their payloads must be. Topics that agree share one, so that messages from
 * a great many topics find it in the processor's cache.
 */
export interface Destination {
  readonly bucket: string;
  readonly measurement: string;
  readonly format: PayloadFormat;
}

/** What the registry says about a concrete topic. Shared between messages: never change it. */
export interface Match {
  readonly entry: TopicEntry;
  readonly destination: Destination;
  readonly kind: MatchKind;
  /** Whose key signs the messages. */
  readonly device: string | undefined;
  /** Empty for acknowledgements: they are no points. */
  readonly tags: Readonly<Record<string, string>>;
  readonly window: Readonly<Window>;
  /** Why this topic's points cannot be stored: a capture that InfluxDB cannot hold as a tag. */
  readonly fault?: string;
}

export interface Registry {
  /** Retention in seconds. */
  readonly buckets: ReadonlyMap<string, { readonly retention: number }>;
  readonly topics: readonly TopicEntry[];
  /** The most specific entry for a concrete topic; undefined when none matches. */
  match(topic: string): Match | undefined;
}

/** An entry with what matching needs. */
export interface CompiledTopic {
  entry: TopicEntry;
  filter: TopicFilter;
  device: Template | undefined;
  tags: readonly (readonly [name: string, template: Template])[];
  /** The filter of `acknowledge.topic`. */
  acknowledge: TopicFilter | undefined;
}

/** A filter of the registry, ready to be filled with the levels of a topic. */
interface Target {
  entry: TopicEntry;
  destination: Destination;
  kind: MatchKind;
  device: BoundTemplate | undefined;
  tags: readonly (readonly [name: string, template: BoundTemplate])[];
}

const NO_TAGS: Readonly<Record<string, string>> = {};

/** Puts checked entries together. */
export function buildRegistry(
  buckets: ReadonlyMap<string, { readonly retention: number }>,
  topics: readonly CompiledTopic[],
): Registry {
  const exact = new Map<string, Match>();
  const tree = new TopicTree<Target>();
  const cache = new BoundedCache<Match | null>();
  const add = (filter: TopicFilter, target: Target): void => {
    if (filter.exact) exact.set(filter.text, matchOf(target, []));
    else tree.add(filter.levels, target);
  };
  const destinations = new Destinations();
  for (const topic of topics) {
    const destination = destinations.of(topic.entry);
    add(topic.filter, targetOf(topic, destination));
    if (topic.acknowledge !== undefined)
      add(topic.acknowledge, acknowledgementOf(topic, topic.acknowledge, destination));
  }
  const search = (topic: string): Match | null => {
    const levels = topic.split('/', MAXIMUM_LEVELS + 1);
    const target = tree.find(levels);
    const match = target === undefined ? null : matchOf(target, levels);
    cache.set(topic, match, match === null ? 0 : textLengthOf(match));
    return match;
  };
  return {
    buckets,
    topics: topics.map(({ entry }) => entry),
    match(topic) {
      const match = exact.get(topic) ?? cache.get(topic);
      return (match === undefined ? search(topic) : match) ?? undefined;
    },
  };
}

/** Finds equal destinations. */
class Destinations {
  private readonly known = new Map<PayloadFormat, Map<string, Destination>>();

  of({ bucket, measurement, format }: TopicEntry): Destination {
    let known = this.known.get(format);
    if (known === undefined) {
      known = new Map();
      this.known.set(format, known);
    }
    // No bucket's name has a slash.
    const name = `${bucket}/${measurement}`;
    const destination = known.get(name) ?? { bucket, measurement, format };
    known.set(name, destination);
    return destination;
  }
}

function targetOf({ entry, filter, device, tags }: CompiledTopic, destination: Destination): Target {
  return {
    entry,
    destination,
    kind: entry.kind,
    device: device && bindTemplate(device, filter.captures),
    tags: tags.map(([name, template]) => [name, bindTemplate(template, filter.captures)]),
  };
}

function acknowledgementOf({ entry, device }: CompiledTopic, filter: TopicFilter, destination: Destination): Target {
  return {
    entry,
    destination,
    kind: 'acknowledgement',
    device: device && bindTemplate(device, filter.captures),
    tags: [],
  };
}

function matchOf({ entry, destination, kind, device, tags }: Target, levels: readonly string[]): Match {
  const match = {
    entry,
    destination,
    kind,
    device: device && fillTemplate(device, levels),
    tags:
      tags.length === 0
        ? NO_TAGS
        : Object.fromEntries(tags.map(([name, parts]) => [name, fillTemplate(parts, levels)])),
    window: entry.window,
  };
  const fault = tagFault(match.tags);
  return fault === undefined ? match : { ...match, fault };
}

/** Characters of what is kept of a match beside its topic. */
function textLengthOf({ device = '', tags, fault = '' }: Match): number {
  return Object.values(tags).reduce((length, tag) => length + tag.length, device.length + fault.length);
}

/** Line protocol has no escape for a line break, nor for a backslash at the end of a tag value. */
function tagFault(tags: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(tags)) {
    if (value.includes('\n')) return `the tag "${name}" would hold a line break, which InfluxDB cannot store`;
    if (value.endsWith('\\')) return `the tag "${name}" would end in a backslash, which InfluxDB cannot store`;
  }
  return undefined;
}
