import { parseFilter } from '../lib/registry/filters';
import type { Registry, TopicEntry } from '../lib/registry/registry';
import { bindTemplate, fillTemplate, parseTemplate } from '../lib/registry/templates';

/** The MQTT topic filters by which the answers of all devices come. */
export function answerFilters(registry: Registry): string[] {
  const filters = new Set<string>();
  for (const { acknowledge } of registry.topics) {
    if (acknowledge) filters.add(acknowledge.topic.replace(/\{[^}]*\}/g, '+'));
  }
  return [...filters];
}

/** Where the answer to an action comes from, and how long to wait for it; undefined where none is registered. */
export function answerOf(entry: TopicEntry, topic: string): { topic: string; within: number } | undefined {
  const { acknowledge } = entry;
  const filter = parseFilter(entry.filter);
  const template = acknowledge && parseTemplate(acknowledge.topic);
  if (template === undefined || typeof filter === 'string') return undefined;
  const answerTopic = fillTemplate(bindTemplate(template, filter.captures), topic.split('/'));
  return { topic: answerTopic, within: acknowledge?.within ?? 0 };
}
