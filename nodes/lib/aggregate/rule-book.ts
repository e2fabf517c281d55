import { parseJson } from '../store/json';
import { RuleMarks } from './mark';
import type { MarkedRule } from './rules';
import { escapedMeasurement } from './scan';

/** Rules by measurement, as lines have it. */
export type RulesByMeasurement = ReadonlyMap<string, readonly RuleMarks[]>;

/** The rules of all nodes that aggregate on one server, with the windows that are marked by them. */
export class RuleBook {
  readonly #nodes = new Map<string, Map<string, RuleMarks>>();
  /** By the bucket of the raw points, and by that of the results. */
  #sources = new Map<string, Map<string, RuleMarks[]>>();
  #targets = new Map<string, Map<string, RuleMarks[]>>();

  nodes(): string[] {
    return [...this.#nodes.keys()];
  }

  has(node: string): boolean {
    return this.#nodes.has(node);
  }

  /** By the id of the rule. */
  of(node: string): ReadonlyMap<string, RuleMarks> {
    return this.#nodes.get(node) ?? new Map<string, RuleMarks>();
  }

  all(): RuleMarks[] {
    return Array.from(this.#nodes.values(), (rules) => [...rules.values()]).flat();
  }

  /** The rules that aggregate a bucket. */
  sources(bucket: string): RulesByMeasurement | undefined {
    return this.#sources.get(bucket);
  }

  /** The rules whose results go into a bucket, of whichever node. */
  targets(bucket: string): RulesByMeasurement | undefined {
    return this.#targets.get(bucket);
  }

  /** Takes the rules of a node over; marks of rules that it had before stay. */
  set(node: string, rules: readonly MarkedRule[]): void {
    const before = this.of(node);
    const marks = rules.map((rule) => {
      const known = before.get(rule.id) ?? new RuleMarks(node, rule);
      known.rule = rule;
      return [rule.id, known] as const;
    });
    if (rules.length === 0) this.#nodes.delete(node);
    else this.#nodes.set(node, new Map(marks));
    this.#sources = this.#indexBy((rule) => rule.bucket);
    this.#targets = this.#indexBy((rule) => rule.into);
  }

  /** The rules of a node as they are stored; undefined: it has none. */
  text(node: string): string | undefined {
    const marked = Array.from(this.of(node).values(), ({ rule: { id, bucket, measurement, every, into } }) => ({
      id,
      bucket,
      measurement,
      every,
      into,
    }));
    return marked.length === 0 ? undefined : JSON.stringify(marked);
  }

  #indexBy(bucketOf: (rule: MarkedRule) => string): Map<string, Map<string, RuleMarks[]>> {
    const index = new Map<string, Map<string, RuleMarks[]>>();
    for (const marks of this.all()) {
      const bucket = bucketOf(marks.rule);
      const ofBucket = index.get(bucket) ?? new Map<string, RuleMarks[]>();
      index.set(bucket, ofBucket);
      const name = escapedMeasurement(marks.rule.measurement);
      ofBucket.set(name, [...(ofBucket.get(name) ?? []), marks]);
    }
    return index;
  }
}

/** The rules that were stored for a node, see {@link RuleBook.text}; undefined for what no release has written. */
export function decodeRules(body: Buffer): MarkedRule[] | undefined {
  const rules = parseJson(body);
  return Array.isArray(rules) && rules.every(isRule) ? rules : undefined;
}

function isRule(value: unknown): value is MarkedRule {
  if (typeof value !== 'object' || value === null) return false;
  const { id, bucket, measurement, every, into } = value as Record<string, unknown>;
  const areTexts = [id, bucket, measurement, into].every((text) => typeof text === 'string');
  return areTexts && typeof every === 'number' && every > 0;
}
