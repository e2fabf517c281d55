import type { Metric } from '../lib/runtime/prometheus';
import type { Notices } from '../lib/alarm/notices';
import type { AlarmTotals } from './view';

/** How many alarms there are; none until they have been read from the store. */
export function alarmMetrics(
  node: string,
  alarms: { totals(): AlarmTotals; faults: Readonly<Notices['counts']> } | undefined,
): Metric[] {
  if (alarms === undefined) return [];
  const totals = alarms.totals();
  const samples = Object.entries(totals).map(([state, value]) => ({ labels: { node, state }, value: Number(value) }));
  const faults = Object.entries(alarms.faults).map(([fault, value]) => ({ labels: { node, fault }, value }));
  return [
    { name: 'mqtt2influx_alarms', help: 'Alarms that are raised or silent, by state', type: 'gauge', samples },
    {
      name: 'mqtt2influx_alarm_faults_total',
      help: 'Wrong clocks, and alarms and changes without room',
      type: 'counter',
      samples: faults,
    },
  ];
}
