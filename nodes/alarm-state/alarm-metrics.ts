import type { Metric } from '../lib/runtime/prometheus';
import type { AlarmTotals } from './view';

/** How many alarms there are; none until they have been read from the store. */
export function alarmMetrics(node: string, totals: AlarmTotals | undefined): Metric[] {
  if (totals === undefined) return [];
  const samples = Object.entries(totals).map(([state, value]) => ({ labels: { node, state }, value: Number(value) }));
  return [{ name: 'mqtt2influx_alarms', help: 'Alarms that are raised or silent, by state', type: 'gauge', samples }];
}
