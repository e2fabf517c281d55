import type { FilterLevel } from './filters';

interface TreeNode<Value> {
  literals: Map<string, TreeNode<Value>> | undefined;
  capture: TreeNode<Value> | undefined;
  any: TreeNode<Value> | undefined;
  /** of the filter that ends here */
  here: Value | undefined;
  /** of the filter that goes on with `#` */
  rest: Value | undefined;
}

/**
 * Topic filters as a tree of levels. The most specific match wins, decided at the first level where two filters
 * differ: literal before capture before `+` before `#`. What a look-up costs depends on the topic, not on how many
 * filters there are.
 */
export class TopicTree<Value> {
  private readonly root: TreeNode<Value> = emptyNode();

  add(levels: readonly FilterLevel[], value: Value): void {
    let node = this.root;
    for (const level of levels) {
      if (level.sort === 'rest') {
        node.rest = value;
        return;
      }
      node = child(node, level);
    }
    node.here = value;
  }

  /** The value of the most specific filter that matches the levels of a topic. */
  find(levels: readonly string[]): Value | undefined {
    return descend(this.root, levels, 0);
  }
}

function emptyNode<Value>(): TreeNode<Value> {
  return { literals: undefined, capture: undefined, any: undefined, here: undefined, rest: undefined };
}

function child<Value>(node: TreeNode<Value>, level: Exclude<FilterLevel, { sort: 'rest' }>): TreeNode<Value> {
  if (level.sort === 'capture') return (node.capture ??= emptyNode());
  if (level.sort === 'any') return (node.any ??= emptyNode());
  node.literals ??= new Map();
  let next = node.literals.get(level.text);
  if (next === undefined) {
    next = emptyNode();
    node.literals.set(level.text, next);
  }
  return next;
}

function descend<Value>(node: TreeNode<Value>, levels: readonly string[], depth: number): Value | undefined {
  const level = levels[depth];
  // MQTT 5 section 4.7.1.2: "sport/#" matches "sport" as well.
  if (level === undefined) return node.here ?? node.rest;
  const literal = node.literals?.get(level);
  let found = literal === undefined ? undefined : descend(literal, levels, depth + 1);
  if (found !== undefined) return found;
  // MQTT 5 section 4.7.2: no wildcard at the first level matches a topic that begins with "$".
  if (depth === 0 && level.startsWith('$')) return undefined;
  if (node.capture !== undefined && level !== '') found = descend(node.capture, levels, depth + 1);
  if (found === undefined && node.any !== undefined) found = descend(node.any, levels, depth + 1);
  return found ?? node.rest;
}
