import type { AggregateFunction } from '../registry/document';
import { sumAndMean } from './exact-sum';

/** What a window's values come to, by function. */
export type Aggregates = Partial<Record<AggregateFunction | 'count', number>>;

/**
 * Computes functions of the values of one field in one window, and always their count. A sum that no double can hold is
 * left out: InfluxDB has no infinity.
 *
 * - `sum` is the exact sum, rounded once; `mean` the exact mean, rounded once.
 * - `median` of an even count is the middle of the two middle values, rounded once.
 *
 * @param values - at least one, all finite
 */
export function aggregate(values: readonly number[], functions: readonly AggregateFunction[]): Aggregates {
  const aggregates: Aggregates = {};
  const sums = functions.includes('mean') || functions.includes('sum') ? sumAndMean(values) : undefined;
  for (const name of functions) {
    const value = valueOf(name, values, sums);
    if (Number.isFinite(value)) aggregates[name] = value;
  }
  aggregates.count = values.length;
  return aggregates;
}

function valueOf(
  name: AggregateFunction,
  values: readonly number[],
  sums: { sum: number; mean: number } | undefined,
): number {
  switch (name) {
    case 'mean':
      return sums?.mean ?? NaN;
    case 'sum':
      return sums?.sum ?? NaN;
    case 'min':
      return values.reduce((least, value) => (value < least ? value : least));
    case 'max':
      return values.reduce((most, value) => (value > most ? value : most));
    case 'median':
      return median(values);
  }
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const upper = sorted[sorted.length >> 1] ?? NaN;
  if (sorted.length % 2 === 1) return upper;
  const lower = sorted[(sorted.length >> 1) - 1] ?? NaN;
  const sum = lower + upper;
  return Number.isFinite(sum) ? sum / 2 : lower / 2 + upper / 2;
}
