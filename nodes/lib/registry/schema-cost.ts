import type { JsonSchema } from './document';
import { pointer } from './fault';

/** The regular expressions of a JSON Schema, by the JSON pointer to each. */
export function patternsIn(schema: JsonSchema): [path: string, pattern: string][] {
  const patterns: [string, string][] = [];
  for (const { path, part } of partsOf(schema, '')) {
    const { pattern, patternProperties } = part;
    if (typeof pattern === 'string') patterns.push([`${path}/pattern`, pattern]);
    if (isObject(patternProperties)) {
      for (const name of Object.keys(patternProperties))
        patterns.push([path + pointer('patternProperties', name), name]);
    }
  }
  return patterns.filter(([, pattern]) => isPattern(pattern));
}

/** Whether a JSON Schema refers to itself, directly or in a circle of its $defs. */
export function refersToItself(schema: JsonSchema): boolean {
  const definitions = isObject(schema['$defs']) ? schema['$defs'] : {};
  const references = new Map<string, Set<string>>();
  for (const [name, definition] of Object.entries(definitions)) references.set(name, referencesIn(definition));
  const root = Object.entries(schema).filter(([name]) => name !== '$defs');
  references.set('', referencesIn(Object.fromEntries(root)));
  return [...references.keys()].some((name) => reaches(name, name, references));
}

function reaches(from: string, to: string, references: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const seen = new Set<string>();
  const due = [...(references.get(from) ?? [])];
  for (let name = due.pop(); name !== undefined; name = due.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    due.push(...(references.get(name) ?? []));
  }
  return false;
}

/** The names of the $defs that a part refers to; the whole schema is ''. */
function referencesIn(value: unknown): Set<string> {
  const names = new Set<string>();
  for (const { part } of partsOf(value, '')) {
    const reference = part['$ref'] ?? part['$dynamicRef'];
    if (typeof reference !== 'string') continue;
    names.add(/^#\/\$defs\/([^/]+)/.exec(reference)?.[1] ?? '');
  }
  return names;
}

/** Every object in a value, with the JSON pointer to it. A document is never deeper than 64 levels. */
function* partsOf(value: unknown, path: string): Generator<{ path: string; part: Record<string, unknown> }> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield { path, part: value as Record<string, unknown> };
  for (const [name, member] of Object.entries(value)) yield* partsOf(member, path + pointer(name));
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
