import { parseJson } from '../store/json';
import type { Change, Source } from './alarm';

/** A change that may not have arrived where it is sent to: after a crash it is sent again. */
export interface Debt {
  change: Change;
  /** Where the change is a row, by the registry as it was then: sent again, it must be the same row. */
  source: Source;
}

/** A debt in the store. */
export interface StoredDebt {
  debt: Debt;
  /** The changes of a node are numbered in the order in which they came about; 0 for what old releases have stored. */
  order: number;
}

export function encodeDebt({ debt, order }: StoredDebt): Buffer {
  return Buffer.from(JSON.stringify({ ...debt, order }));
}

/** Undefined for what no release has written. */
export function decodeDebt(value: Buffer): StoredDebt | undefined {
  const stored = parseJson(value) as (Partial<Debt> & { order?: unknown }) | null | undefined;
  const complete =
    typeof stored?.source?.topic === 'string' &&
    typeof stored.change?.time === 'string' &&
    typeof stored.change.alarm === 'object';
  if (!complete) return undefined;
  const { order, ...debt } = stored;
  return { debt: debt as Debt, order: typeof order === 'number' ? order : 0 };
}
