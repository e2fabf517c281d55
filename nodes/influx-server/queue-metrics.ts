import type { Metric } from '../lib/runtime/prometheus';
import type { Delivery } from './delivery';

const COUNTERS = {
  accepted: 'Points stored in the queue',
  recovered: 'Points found in the queue when it was opened first',
  written: 'Points that InfluxDB has',
  refused: 'Points that InfluxDB can never hold',
  dropped: 'Points that gave way to newer ones because the queue was full',
  damaged: 'Points lost to a damaged file',
} as const;

const GAUGES = {
  mqtt2influx_points_queued: ['Points in the queue', 'queuedPoints'],
  mqtt2influx_points_accepting: ['Points handed over and not stored yet', 'accepting'],
  mqtt2influx_queue_bytes: ['Size of the queue in bytes of line protocol', 'queuedBytes'],
} as const;

/**
 * The totals of one place's queue as metrics: accepted + recovered = written + refused + dropped + damaged + queued. Where
 * several nodes share it, it is counted once, at the one that came first.
 */
export function queueMetrics(delivery: Delivery): Metric[] {
  const totals = delivery.totals();
  if (!totals) return [];
  const labels = { server: delivery.server ?? '', place: delivery.place };
  const metrics: Metric[] = Object.entries(COUNTERS).map(([name, help]) => ({
    name: `mqtt2influx_points_${name}_total`,
    help,
    type: 'counter',
    samples: [{ labels, value: totals[name as keyof typeof COUNTERS] }],
  }));
  for (const [name, [help, member]] of Object.entries(GAUGES)) {
    metrics.push({ name, help, type: 'gauge', samples: [{ labels, value: totals[member] }] });
  }
  return metrics;
}
