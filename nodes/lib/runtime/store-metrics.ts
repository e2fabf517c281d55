import { damageTotals } from '../store/store';
import type { Metric } from './prometheus';

/** What damage has left in the stores of this process, as metrics. */
export function storeMetrics(): Metric[] {
  const { aside, repairs } = damageTotals();
  const samples = Array.from(aside, ([kind, value]) => ({ labels: { kind }, value }));
  const metrics: Metric[] = [
    {
      name: 'mqtt2influx_store_repairs_total',
      help: 'Repairs of a damaged store since it was opened',
      type: 'counter',
      samples: [{ labels: {}, value: repairs }],
    },
  ];
  const help = 'Records of the store that cannot be read and were put aside';
  if (samples.length > 0) metrics.push({ name: 'mqtt2influx_store_records_aside', help, type: 'gauge', samples });
  return metrics;
}
