import type { AggregationState } from '../lib/aggregate/aggregator';
import type { Metric } from '../lib/runtime/prometheus';

const COUNTERS = {
  computed: ['mqtt2influx_windows_computed_total', 'Windows computed'],
  expired: [
    'mqtt2influx_windows_expired_total',
    'Windows left as they are because their raw points were not all kept any more',
  ],
  refused: ['mqtt2influx_results_refused_total', 'Results that InfluxDB has refused'],
  corrections: [
    'mqtt2influx_results_corrections_total',
    'Results written beside an earlier one, which late points have changed and InfluxDB 3.x would not surely replace',
  ],
} as const;

/** The windows of one node as metrics. */
export function windowMetrics(node: string, state: AggregationState): Metric[] {
  const metrics: Metric[] = Object.entries(COUNTERS).map(([member, [name, help]]) => ({
    name,
    help,
    type: 'counter',
    samples: [{ labels: { node }, value: state[member as keyof typeof COUNTERS] }],
  }));
  metrics.push({
    name: 'mqtt2influx_windows_waiting',
    help: 'Windows that have ended and are still to be computed',
    type: 'gauge',
    samples: [{ labels: { node }, value: state.waiting }],
  });
  if (state.waiting > 0 && state.oldest !== undefined) {
    metrics.push({
      name: 'mqtt2influx_windows_oldest_timestamp_seconds',
      help: 'Start of the oldest window that has ended and is still to be computed',
      type: 'gauge',
      samples: [{ labels: { node }, value: state.oldest / 1000 }],
    });
  }
  return metrics;
}
