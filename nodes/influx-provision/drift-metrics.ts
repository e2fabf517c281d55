import type { Metric } from '../lib/runtime/prometheus';
import type { Drift } from './drift';

/** The buckets that a node has last seen, by state. */
export function driftMetrics(node: string, drift: Drift | undefined): Metric[] {
  if (!drift) return [];
  const samples = Object.entries(drift).map(([state, value]) => ({ labels: { node, state }, value }));
  return [{ name: 'mqtt2influx_buckets', help: 'Buckets as last compared with the registry', type: 'gauge', samples }];
}
