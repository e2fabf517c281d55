import { RuleMarks } from './mark';
import type { MarkedRule } from './rules';
import { escapedMeasurement } from './scan';

/** The rules of all nodes that aggregate on one server, with the windows that are marked by them. */
export class RuleBook {
  readonly #nodes = new Map<string, Map<string, RuleMarks>>();
  /** By bucket, and by measurement as lines have it. */
  readonly #sources = new Map<string, Map<string, RuleMarks[]>>();

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

  /** The rules that aggregate a bucket, by measurement as lines have it. */
  sources(bucket: string): ReadonlyMap<string, readonly RuleMarks[]> | undefined {
    return this.#sources.get(bucket);
  }

  /** The rules of a node whose results go into a bucket. */
  targets(node: string, bucket: string): RuleMarks[] {
    return [...this.of(node).values()].filter(({ rule }) => rule.into === bucket);
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
    this.#index();
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

  #index(): void {
    this.#sources.clear();
    for (const marks of this.all()) {
      const { bucket, measurement } = marks.rule;
      const ofBucket = this.#sources.get(bucket) ?? new Map<string, RuleMarks[]>();
      this.#sources.set(bucket, ofBucket);
      const name = escapedMeasurement(measurement);
      ofBucket.set(name, [...(ofBucket.get(name) ?? []), marks]);
    }
  }
}
