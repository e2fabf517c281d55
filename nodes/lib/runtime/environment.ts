import type { Node, NodeAPI } from 'node-red';

/**
 * The name of the environment variable that a property stands for, in the two forms that core knows: `${NAME}` and
 * `$(NAME)`. Core puts the value in its place when the node is made, and leaves the property as it is where there is none.
 */
export function variableIn(property: string): string | undefined {
  return /^\$(?:\{(\S+)\}|\((\S+)\))$/.exec(property)?.slice(1).find(Boolean);
}

/**
 * What core would make of a property of this node. A node that has not been deployed sees only the variables of the
 * process.
 *
 * @returns undefined where the variable is not set
 */
export function valueOf(RED: NodeAPI, node: Node | undefined, property: string): string | undefined {
  const name = variableIn(property);
  if (name === undefined) return property;
  return node ? RED.util.getSetting(node, name) : process.env[name];
}
