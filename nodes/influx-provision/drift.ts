import type { ProvisionRow } from '../lib/influx/provision';

/** How many buckets are in which state, changes that were made included. */
export type Drift = Record<ProvisionRow['state'], number>;

export function driftOf(rows: readonly ProvisionRow[]): Drift {
  const drift: Drift = { missing: 0, different: 0, surplus: 0, same: 0 };
  for (const { state, outcome } of rows) drift[outcome === 'done' ? 'same' : state] += 1;
  return drift;
}

/** Whether InfluxDB is as the registry says. Surplus does not count: only an operator knows what it is for. */
export function isInOrder({ missing, different }: Drift): boolean {
  return missing + different === 0;
}
