import type { NodeAPI } from 'node-red';
import { allCounters, type MessageCounters, type Tally } from './counters';
import { addTextEndpoint } from './endpoint';
import { prometheusText, type Metric, type Sample } from './prometheus';
import { storeMetrics } from './store-metrics';

type Collector = () => Metric[];

const collectors = new Set<Collector>();

/** Adds metrics that are not message counters, such as those of a queue; returns the function that takes them out again. */
export function addCollector(collector: Collector): () => void {
  collectors.add(collector);
  return () => collectors.delete(collector);
}

/** Serves all counters of the pack at `GET mqtt2influx/metrics`, for users with the permission `mqtt2influx.read`. */
export function serveMetrics(RED: NodeAPI): void {
  addTextEndpoint(RED, 'metrics', 'mqtt2influx.read', 'text/plain; version=0.0.4', () =>
    prometheusText([...messageMetrics(), ...storeMetrics(), ...[...collectors].flatMap((collect) => collect())]),
  );
}

const PASSED: Record<string, { name: string; help: string; label?: string }> = {
  'hmac-verify': { name: 'mqtt2influx_messages_verified_total', help: 'Messages whose signature and time were right' },
  'registry-route': { name: 'mqtt2influx_messages_routed_total', help: 'Messages sent on, by kind', label: 'kind' },
  'influx-provision': {
    name: 'mqtt2influx_messages_provisioned_total',
    help: 'Plans made or applied',
    label: 'command',
  },
  'influx-aggregate': { name: 'mqtt2influx_messages_aggregated_total', help: 'Commands carried out', label: 'command' },
  'influx-backup': { name: 'mqtt2influx_messages_backed_up_total', help: 'Commands carried out', label: 'command' },
  'influx-write': { name: 'mqtt2influx_messages_accepted_total', help: 'Messages whose point is in the queue on disk' },
  'alarm-state': { name: 'mqtt2influx_messages_judged_total', help: 'Messages, by what they meant', label: 'event' },
  'iot-sign-publish': {
    name: 'mqtt2influx_messages_signed_total',
    help: 'Messages signed, and published or taken over, by kind',
    label: 'kind',
  },
};

function messageMetrics(): Metric[] {
  const metrics: Metric[] = [];
  for (const [node, counters] of allCounters()) {
    metrics.push(...metricsOf(node, counters));
  }
  return metrics;
}

function metricsOf(node: string, counters: MessageCounters): Metric[] {
  const labels = { node, type: counters.type };
  const metrics: Metric[] = [
    counter('mqtt2influx_messages_received_total', 'Messages that reached the node', [
      { labels, value: counters.received },
    ]),
    {
      name: 'mqtt2influx_messages_pending',
      help: 'Messages taken on and not decided yet',
      type: 'gauge',
      samples: [{ labels, value: counters.pending }],
    },
    counter(
      'mqtt2influx_messages_rejected_total',
      'Messages sent to the rejected output, by code',
      byName(counters.rejected, labels, 'code'),
    ),
    counter(
      'mqtt2influx_messages_failed_total',
      'Messages that ended in an error, by code',
      byName(counters.failed, labels, 'code'),
    ),
  ];
  const passed = PASSED[counters.type];
  if (passed) metrics.push(counter(passed.name, passed.help, byName(counters.passed, { node }, passed.label)));
  return metrics;
}

function counter(name: string, help: string, samples: Sample[]): Metric {
  return { name, help, type: 'counter', samples };
}

function byName(numbers: Tally, labels: Record<string, string>, label: string | undefined): Sample[] {
  return Object.entries(numbers).map(([name, value]) => ({
    labels: label === undefined ? labels : { ...labels, [label]: name },
    value,
  }));
}
