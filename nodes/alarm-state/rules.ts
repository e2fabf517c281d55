import type { TopicRules } from '../lib/alarm/rules';
import type { Registry, TopicEntry } from '../lib/registry/registry';

const known = new WeakMap<TopicEntry, TopicRules>();

/** What the registry says of the alarms of a topic. */
export function rulesOf(registry: Registry | undefined, topic: string): TopicRules | undefined {
  const entry = registry?.match(topic)?.entry;
  if (entry === undefined) return undefined;
  let rules = known.get(entry);
  if (rules === undefined) {
    const { filter, interval, clearAfter, severities, window } = entry;
    rules = { entry: filter, interval, clearAfter, severities, future: window.future };
    known.set(entry, rules);
  }
  return rules;
}
