import type { RegistryDocument, TopicDocument } from './document';
import { MOST_FAULTS, pointer } from './fault';
import type { Fault } from './fault';
import { whyNotLinear } from './linear-pattern';
import type { CompiledTopic } from './registry';
import { patternsIn, refersToItself } from './schema-cost';
import { capturesOf, type Template } from './templates';

/** What is legal in a document that has no fault, and surely not meant: alarms that never are, points that overwrite each other, checks that take for ever. */
export function warningsOf(document: RegistryDocument, topics: readonly CompiledTopic[]): Fault[] {
  const warnings: Fault[] = [];
  const warn = (path: string, reason: string): void => {
    if (warnings.length < MOST_FAULTS) warnings.push({ path, reason });
  };
  const series = new Map<string, string>();
  for (const topic of topics) {
    const written = document.topics[topic.entry.filter];
    if (written === undefined) continue;
    const base = pointer('topics', topic.entry.filter);
    const warnHere = (path: string, reason: string): void => warn(base + path, reason);
    warnOfAlarm(topic, written, warnHere);
    warnOfCaptures(topic, warnHere);
    warnOfSeries(topic, series, warnHere);
    warnOfCost(written, warnHere);
  }
  return warnings;
}

type Warn = (path: string, reason: string) => void;

/** Its points are stored, but alarm-state can make no alarm of it: a document that has such a topic goes on working. */
function warnOfAlarm({ entry }: CompiledTopic, { fields }: TopicDocument, warn: Warn): void {
  if (entry.kind !== 'alarm') return;
  const active = entry.format.fields.find(({ name }) => name === 'active');
  if (active?.type === 'boolean') return;
  const place = fields === undefined ? '/schema/properties' : '/fields';
  if (active === undefined) warn(place, 'have no boolean "active", so alarm-state cannot tell whether the alarm is on');
  else warn(`${place}/active`, 'is no boolean, so alarm-state cannot tell whether the alarm is on');
}

/** Devices that no tag tells apart write one series: the later of two points of one time replaces the earlier. */
function warnOfCaptures({ device, tags }: CompiledTopic, warn: Warn): void {
  const tagged = new Set(tags.flatMap(([, template]) => capturesOf(template)));
  for (const name of new Set(capturesOf(device ?? []))) {
    if (tagged.has(name)) continue;
    warn('/tags', `do not have {${name}}, which tells devices apart: their points overwrite each other`);
  }
}

/** Two topics whose points can be of one series. */
function warnOfSeries({ entry, tags }: CompiledTopic, seen: Map<string, string>, warn: Warn): void {
  const written = tags.map(([name, template]) => [name, shapeOf(template)] as const);
  const key = JSON.stringify([entry.bucket, entry.measurement, written.sort(([a], [b]) => (a < b ? -1 : 1))]);
  // Different fields of one time are one point, which is often meant.
  for (const { name } of entry.format.fields) {
    const field = JSON.stringify([key, name]);
    const earlier = seen.get(field);
    if (earlier === undefined) seen.set(field, entry.filter);
    else {
      const reason = `gets "${name}" of the same series as topic ${earlier}: of two values of one time, the later remains`;
      warn('/measurement', `${reason}; add a tag that tells them apart, or choose another measurement`);
      return;
    }
  }
}

/** Equal for templates that can make the same text, whatever their captures are called. */
function shapeOf(template: Template): string {
  return template.map((part, index) => (index % 2 === 0 ? part : '{}')).join('');
}

/** What a device can make expensive by what it sends. */
function warnOfCost({ fields, schema }: TopicDocument, warn: Warn): void {
  for (const [name, { pattern }] of Object.entries(fields ?? {})) {
    if (pattern !== undefined) warnOfPattern(pattern, pointer('fields', name, 'pattern'), warn);
  }
  if (schema === undefined) return;
  for (const [path, pattern] of patternsIn(schema)) warnOfPattern(pattern, `/schema${path}`, warn);
  if (refersToItself(schema)) {
    warn('/schema', 'refers to itself: what a nested payload takes to check can double with each level');
  }
}

function warnOfPattern(pattern: string, path: string, warn: Warn): void {
  const why = whyNotLinear(pattern);
  if (why !== undefined) {
    warn(path, `can take very long for some texts, and Node-RED does nothing else meanwhile: ${why}`);
  }
}
