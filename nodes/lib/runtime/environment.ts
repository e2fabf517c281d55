/**
 * The name of the environment variable that a property stands for, in the two forms that core knows: `${NAME}` and
 * `$(NAME)`. Core puts the value in its place when the node is made, and leaves the property as it is where there is none.
 */
export function variableIn(property: string): string | undefined {
  return /^\$(?:\{(\S+)\}|\((\S+)\))$/.exec(property)?.slice(1).find(Boolean);
}
