/**
 * A text with captures, such as `{site}/{device}`, cut into texts and names that alternate: the even places are texts
 * as they are (perhaps empty), the odd ones names of captures.
 */
export type Template = readonly string[];

const CAPTURE = /\{([A-Za-z_][A-Za-z0-9_]*)\}/;

/** Cuts a template; undefined when it has braces that are no capture. */
export function parseTemplate(text: string): Template | undefined {
  const template = text.split(CAPTURE);
  return template.some((part, index) => index % 2 === 0 && /[{}]/.test(part)) ? undefined : template;
}

/** The captures that a template names. */
export function capturesOf(template: Template): string[] {
  return template.filter((_, index) => index % 2 === 1);
}

/** A template whose captures are known levels of a topic. */
export type BoundTemplate = readonly (string | number)[];

/** Replaces the names of captures by the numbers of the topic levels that they stand for. */
export function bindTemplate(template: Template, levelOf: ReadonlyMap<string, number>): BoundTemplate {
  return template
    .map((part, index) => (index % 2 === 0 ? part : (levelOf.get(part) ?? '')))
    .filter((part) => part !== '');
}

/** The text of a template for the levels of one concrete topic. */
export function fillTemplate(template: BoundTemplate, levels: readonly string[]): string {
  let text = '';
  for (const part of template) text += typeof part === 'string' ? part : (levels[part] ?? '');
  return text;
}
