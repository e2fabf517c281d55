import ts from 'typescript';

/** A node type as the flow library's parser sees it: only what is written in place counts. */
export interface Definition {
  type: string;
  /** Literal values; a property that is no literal is undefined. */
  category: unknown;
  color: unknown;
  icon: unknown;
  inputs: unknown;
  outputs: unknown;
  defaults: string[] | undefined;
  /** Name and type of each credential. */
  credentials: Record<string, string> | undefined;
}

/** The scripts of a node's HTML that the flow library looks at. */
export function scriptsOf(html: string): string[] {
  return [...html.matchAll(/<script.+?type=['"]text\/javascript['"].*?>([\S\s]*?)<\/script>/gi)].map(
    (match) => match[1] ?? '',
  );
}

/** The form in a node's HTML. */
export function formOf(html: string, type: string): string {
  const match = new RegExp(`<script type="text/html" data-template-name="${type}">([\\S\\s]*?)</script>`).exec(html);
  return match?.[1] ?? '';
}

/** Every `….registerType('type', {…})` of a script. */
export function definitionsOf(script: string): Definition[] {
  const found: Definition[] = [];
  walk(parse(script), (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    if (node.expression.name.text !== 'registerType') return;
    const [type, definition] = node.arguments;
    if (!type || !ts.isStringLiteral(type)) throw new Error('the type is not written in place');
    if (!definition || !ts.isObjectLiteralExpression(definition)) throw new Error('the definition is not in place');
    const literal = (name: string) => literalValue(member(definition, name));
    found.push({
      type: type.text,
      category: literal('category'),
      color: literal('color'),
      icon: literal('icon'),
      inputs: literal('inputs'),
      outputs: literal('outputs'),
      defaults: memberNames(member(definition, 'defaults')),
      credentials: credentialsOf(member(definition, 'credentials')),
    });
  });
  return found;
}

/** Credentials that the runtime half registers. */
export function runtimeCredentials(script: string): Record<string, string> | undefined {
  let credentials: Record<string, string> | undefined;
  walk(parse(script), (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    if (node.expression.name.text !== 'registerType') return;
    const options = node.arguments[2];
    if (options) credentials = credentialsOf(member(options, 'credentials'));
  });
  return credentials;
}

/** The fixed parts of a script's templates that have something inserted after them: `iot-keyring.error.${name}`. */
export function templatePartsOf(script: string): string[] {
  const parts: string[] = [];
  walk(parse(script), (node) => {
    if (ts.isTemplateHead(node) || ts.isTemplateMiddle(node)) parts.push(node.text);
  });
  return parts;
}

/** What follows the inserted word in templates that begin with it: `${command}-begins`. */
export function templateTailsOf(script: string): string[] {
  const tails: string[] = [];
  walk(parse(script), (node) => {
    if (!ts.isTemplateExpression(node) || node.head.text !== '' || node.templateSpans.length !== 1) return;
    tails.push(node.templateSpans[0]?.literal.text ?? '');
  });
  return tails;
}

/** What stands before the inserted word in templates that end with it: `aside-${fault}`. */
export function templateHeadsOf(script: string): string[] {
  const heads: string[] = [];
  walk(parse(script), (node) => {
    if (!ts.isTemplateExpression(node) || node.head.text === '' || node.templateSpans.length !== 1) return;
    if (node.templateSpans[0]?.literal.text === '') heads.push(node.head.text);
  });
  return heads;
}

/** Every string of a script that is written in place. */
export function stringsOf(script: string): string[] {
  const strings: string[] = [];
  walk(parse(script), (node) => {
    if (ts.isStringLiteralLike(node)) strings.push(node.text);
  });
  return strings;
}

/** Names of the members of an exported interface, without those it inherits. */
export function interfaceMembers(source: string, name: string): string[] {
  let members: string[] | undefined;
  walk(parse(source), (node) => {
    if (!ts.isInterfaceDeclaration(node) || node.name.text !== name) return;
    members = node.members.map((one) => (one.name && ts.isIdentifier(one.name) ? one.name.text : ''));
  });
  if (!members) throw new Error(`there is no interface ${name}`);
  return members;
}

/** The strings of an exported union type: `'a' | 'b'`. */
export function unionMembers(source: string, name: string): string[] {
  let members: string[] | undefined;
  walk(parse(source), (node) => {
    if (!ts.isTypeAliasDeclaration(node) || node.name.text !== name) return;
    const parts = ts.isUnionTypeNode(node.type) ? [...node.type.types] : [node.type];
    members = parts.flatMap((part) =>
      ts.isLiteralTypeNode(part) && ts.isStringLiteral(part.literal) ? [part.literal.text] : [],
    );
  });
  if (!members) throw new Error(`there is no type ${name}`);
  return members;
}

function parse(source: string): ts.SourceFile {
  return ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true);
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

function member(object: ts.Node | undefined, name: string): ts.Expression | undefined {
  if (!object || !ts.isObjectLiteralExpression(object)) return undefined;
  const property = object.properties.find((one) => one.name?.getText().replace(/['"]/g, '') === name);
  return property && ts.isPropertyAssignment(property) ? property.initializer : undefined;
}

function memberNames(object: ts.Expression | undefined): string[] | undefined {
  if (!object || !ts.isObjectLiteralExpression(object)) return undefined;
  return object.properties.map((property) => property.name?.getText() ?? '');
}

function credentialsOf(object: ts.Expression | undefined): Record<string, string> | undefined {
  const names = memberNames(object);
  return (
    names && Object.fromEntries(names.map((name) => [name, String(literalValue(member(member(object, name), 'type')))]))
  );
}

function literalValue(expression: ts.Expression | undefined): unknown {
  if (!expression) return undefined;
  if (ts.isStringLiteral(expression)) return expression.text;
  return ts.isNumericLiteral(expression) ? Number(expression.text) : undefined;
}
