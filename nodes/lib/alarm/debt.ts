import { parseJson } from '../store/json';
import type { Change, Source } from './alarm';

/** A change that may not have arrived where it is sent to: after a crash it is sent again. */
export interface Debt {
  change: Change;
  /** Where the change is a row, by the registry as it was then: sent again, it must be the same row. */
  source: Source;
}

export function encodeDebt(debt: Debt): Buffer {
  return Buffer.from(JSON.stringify(debt));
}

/** Undefined for what no release has written. */
export function decodeDebt(value: Buffer): Debt | undefined {
  const debt = parseJson(value) as Partial<Debt> | null | undefined;
  const complete =
    typeof debt?.source?.topic === 'string' &&
    typeof debt.change?.time === 'string' &&
    typeof debt.change.alarm === 'object';
  return complete ? (debt as Debt) : undefined;
}
