import type { NodeDef } from 'node-red';
import type { EditorNode, Validator } from './node-definition';

/**
 * Makes a validator out of a check.
 *
 * @param check - gets the value as text and the node; returns what is wrong, or undefined
 */
export function validator<Config extends NodeDef>(
  check: (value: string, node: EditorNode<Config>) => string | undefined,
): Validator {
  const validate = function (
    this: EditorNode<Config>,
    value: string | number | null | undefined,
    options: { label?: string },
  ): true | string {
    const fault = check(String(value ?? ''), this);
    if (fault === undefined) return true;
    return options.label === undefined ? fault : `${options.label}: ${fault}`;
  };
  return validate as unknown as Validator;
}

/** A whole number within bounds, written in decimal digits. */
export function isWholeNumber(value: string, minimum: number, maximum: number): boolean {
  return /^\d+$/.test(value.trim()) && Number(value) >= minimum && Number(value) <= maximum;
}
