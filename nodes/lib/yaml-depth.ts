import { Parser } from 'yaml';

/**
 * Whether lists and maps in a YAML text nest deeper than `most`. The parser's tokens are made without recursion, the nodes of
 * them with it, and at the end of the stack V8 may end the process instead of throwing: so this is asked before.
 */
export function nestsDeeper(text: string, most: number): boolean {
  const parser = new Parser();
  let level: unknown[] = [...parser.parse(text)];
  // A token is an item of a list or map, which is a level of its own, or what that holds.
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > most * 2 + 2) return true;
    level = level.flatMap(partsOf);
  }
  return false;
}

interface Token {
  value?: unknown;
  key?: unknown;
  items?: unknown[];
}

function partsOf(token: unknown): unknown[] {
  if (typeof token !== 'object' || token === null) return [];
  const { value, key, items } = token as Token;
  return [value, key, ...(items ?? [])].filter((part) => typeof part === 'object' && part !== null);
}
