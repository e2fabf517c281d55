import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { Alias, Document, Node, Pair, ParsedNode, YAMLMap, YAMLSeq } from 'yaml';
import { reasonOf } from '../errors';
import { nestsDeeper } from '../yaml-depth';
import { MOST_FAULTS, pointer, segmentsOf } from './fault';
import type { Fault } from './fault';

/** A document as plain values, with the way back to its lines. */
export interface Source {
  value: unknown;
  /** The line of the member that a JSON pointer names, or of the nearest one above it. */
  lineOf(path: string): number | undefined;
}

/** Deepest nesting of maps and lists; a real document needs fewer than ten levels, a JSON Schema in it a few more. */
const DEEPEST = 64;
const TOO_DEEP = 'the document is nested too deep';
/** Syntax errors shown; the later ones mostly follow from the first. */
const SYNTAX_ERRORS_SHOWN = 10;

/** Characters of a document. Ten thousand topics, each with an entry of its own, have a third of that. */
export const LONGEST_DOCUMENT = 8_388_608;

/** Reads YAML or JSON text. Never throws; what cannot be read is a fault with its line. */
export function readSource(text: string): Source | { faults: Fault[] } {
  if (text.length > LONGEST_DOCUMENT) {
    return { faults: [{ path: '', reason: `the document has more than ${LONGEST_DOCUMENT} characters` }] };
  }
  const value = parseJson(text);
  if (value === undefined) return readYaml(text);
  if (!text.trim().includes('\n')) return { value, lineOf: (path) => (path === '' ? undefined : firstLineOf(text)) };
  let locate: ((path: string) => number | undefined) | undefined;
  return { value, lineOf: (path) => (locate ??= locator(parseYaml(text)))(path) };
}

/** For JSON in one line, as programs write it: it need not be read as YAML to find a place in it. */
function firstLineOf(text: string): number {
  const start = text.slice(0, text.length - text.trimStart().length);
  return start.split('\n').length;
}

/**
 * JSON, read 30 times faster than as YAML. Undefined when the text is no JSON, too deep, or names a member twice
 * (JSON.parse would quietly keep the last one): then the YAML reader says what is wrong and where.
 */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return memberCount(value) === writtenMembers(text) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** How many members all objects in a value have; NaN when it is nested too deep. */
function memberCount(root: unknown): number {
  let level = [root];
  let count = 0;
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEEPEST) return NaN;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      const children: unknown[] = Object.values(value);
      if (!Array.isArray(value)) count += children.length;
      for (const child of children) next.push(child);
    }
    level = next;
  }
  return count;
}

/** How many members are written in a JSON text: its strings that a colon follows. */
function writtenMembers(text: string): number {
  let count = 0;
  for (const [, colon] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"\s*(:?)/g)) if (colon === ':') count += 1;
  return count;
}

interface YamlText {
  document: Document.Parsed;
  lines: LineCounter;
}

function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  // Duplicates are found below: the library compares every key with every other, too slow for thousands of topics.
  const options = {
    schema: 'core',
    resolveKnownTags: false,
    merge: false,
    stringKeys: true,
    uniqueKeys: false,
  } as const;
  const document = parseDocument(text, { ...options, lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  return { document, lines };
}

function readYaml(text: string): Source | { faults: Fault[] } {
  try {
    if (nestsDeeper(text, DEEPEST)) return { faults: [{ path: '', reason: TOO_DEEP }] };
    const yaml = parseYaml(text);
    const faults = syntaxFaults(yaml);
    if (faults.length > 0) return { faults };
    const reader = new YamlReader(yaml.lines);
    const value = reader.read(yaml.document.contents);
    return reader.faults.length > 0 ? { faults: reader.faults } : { value, lineOf: locator(yaml) };
  } catch (error) {
    if (error instanceof RangeError) return { faults: [{ path: '', reason: TOO_DEEP }] };
    return { faults: [{ path: '', reason: `the document cannot be read: ${reasonOf(error)}` }] };
  }
}

function syntaxFaults({ document, lines }: YamlText): Fault[] {
  return [...document.errors, ...document.warnings].slice(0, SYNTAX_ERRORS_SHOWN).map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    const reason =
      error.code === 'MULTIPLE_DOCS' ? 'a registry is one YAML document; remove what follows "---"' : error.message;
    return { path: '', reason: `line ${line}, column ${col}: ${reason}`, line };
  });
}

/** Turns the nodes of a YAML document into plain values; finds members given twice and aliases that grow without end. */
class YamlReader {
  readonly faults: Fault[] = [];
  private readonly lines: LineCounter;
  private readonly anchors = new Map<string, { value: unknown; size: number }>();
  /** How many nodes are written, and how many there are with every alias in full. */
  private written = 0;
  private size = 0;

  constructor(lines: LineCounter) {
    this.lines = lines;
  }

  read(root: ParsedNode | null): unknown {
    const value = this.valueOf(root, []);
    // Values are shared, not copied, but whoever walks through them meets every alias in full.
    if (this.faults.length > 0) return value;
    if (this.size > 100_000 + 20 * this.written) {
      this.faults.push({ path: '', reason: 'the aliases (*name) repeat more than a registry can need' });
    } else if (Number.isNaN(memberCount(value))) {
      this.faults.push({ path: '', reason: TOO_DEEP });
    }
    return value;
  }

  private valueOf(node: Node | null, path: readonly string[]): unknown {
    this.written += 1;
    if (isAlias(node)) {
      const anchor = this.anchors.get(node.source);
      if (anchor === undefined) {
        this.refuse(node, path, `*${node.source} stands for nothing above it, or for itself`);
        return undefined;
      }
      this.size += anchor.size;
      return anchor.value;
    }
    if (path.length > DEEPEST) {
      this.refuse(node, path, TOO_DEEP);
      return undefined;
    }
    const before = this.size;
    this.size += 1;
    const value = this.contentOf(node, path);
    const name = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined;
    if (name !== undefined) this.anchors.set(name, { value, size: this.size - before });
    return value;
  }

  private contentOf(node: Node | null, path: readonly string[]): unknown {
    if (isMap(node)) return this.mapOf(node, path);
    if (isSeq(node))
      return (node as YAMLSeq<Node | null>).items.map((item, index) => this.valueOf(item, [...path, String(index)]));
    return isScalar(node) ? node.value : null;
  }

  private mapOf(node: YAMLMap, path: readonly string[]): Record<string, unknown> {
    const members: [string, unknown][] = [];
    const seen = new Set<string>();
    for (const { key, value } of node.items as { key: Node; value: Node | null }[]) {
      const name = isScalar(key) ? String(key.value) : '';
      if (seen.has(name)) this.refuse(key, [...path, name], 'is there twice');
      seen.add(name);
      members.push([name, this.valueOf(value, [...path, name])]);
    }
    // Not by assignment: a member called __proto__ must be a member.
    return Object.fromEntries(members);
  }

  private refuse(node: Node | null, path: readonly string[], reason: string): void {
    if (this.faults.length >= MOST_FAULTS) return;
    const offset = node?.range?.[0];
    const line = offset === undefined ? undefined : this.lines.linePos(offset).line;
    this.faults.push({ path: pointer(...path), reason, ...(line === undefined ? {} : { line }) });
  }
}

/** The way from paths to lines. Each map is searched once, however many paths lead through it. */
function locator({ document, lines }: YamlText): (path: string) => number | undefined {
  const members = new Map<YAMLMap, Map<string, Pair>>();
  const memberOf = (map: YAMLMap, name: string): Pair | undefined => {
    let found = members.get(map);
    if (found === undefined) {
      found = new Map(map.items.map((pair) => [isScalar(pair.key) ? String(pair.key.value) : '', pair]));
      members.set(map, found);
    }
    return found.get(name);
  };
  const targets = new Map<string, Node | undefined>();
  const targetOf = (alias: Alias): Node | undefined => {
    // By name: one name for two anchors is rare, and then a line is that of the other.
    if (!targets.has(alias.source)) targets.set(alias.source, alias.resolve(document));
    return targets.get(alias.source);
  };
  return (path) => {
    let offset: number | undefined;
    let node: unknown = document.contents;
    for (const segment of segmentsOf(path)) {
      if (isAlias(node)) node = targetOf(node);
      if (isMap(node)) {
        const pair = memberOf(node, segment);
        if (pair === undefined) break;
        offset = (pair.key as Node).range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(segment)];
        if (node === undefined || node === null) break;
        offset = (node as Node).range?.[0] ?? offset;
      } else break;
    }
    return offset === undefined ? undefined : lines.linePos(offset).line;
  };
}
