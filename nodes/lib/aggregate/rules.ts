import type { AggregateFunction } from '../registry/document';
import type { Registry } from '../registry/registry';

/** What must be known of a rule to mark its windows. */
export interface MarkedRule {
  /** The same after a change of fields and functions, so that marks stay. */
  readonly id: string;
  /** Holds the raw points. */
  readonly bucket: string;
  readonly measurement: string;
  /** Length of a window in milliseconds; windows start at its multiples since 1970. */
  readonly every: number;
  /** Bucket of the results. */
  readonly into: string;
}

/** One period of one measurement, whatever the number of topics that ask for it. */
export interface Rule extends MarkedRule {
  /** How long raw points are kept, in milliseconds. */
  readonly retention: number;
  /** Functions by field. */
  readonly fields: ReadonlyMap<string, readonly AggregateFunction[]>;
}

/** The rules of a registry. Topics with the same measurement, period and buckets share one. */
export function rulesOf(registry: Registry): Rule[] {
  const rules = new Map<string, Rule & { readonly fields: Map<string, readonly AggregateFunction[]> }>();
  for (const { bucket, measurement, aggregates } of registry.topics) {
    const retention = (registry.buckets.get(bucket)?.retention ?? 0) * 1000;
    for (const { every, functions, into, fields } of aggregates) {
      const id = [bucket, measurement, every, into].join(' ');
      const known = rules.get(id)?.fields ?? new Map<string, readonly AggregateFunction[]>();
      rules.set(id, { id, bucket, measurement, every, into, retention, fields: known });
      for (const field of fields) known.set(field, [...new Set([...(known.get(field) ?? []), ...functions])]);
    }
  }
  return [...rules.values()];
}
