/** One sample of a metric. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/** A metric with its samples; counters end in `_total`, as Prometheus' naming asks. */
export interface Metric {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  samples: Sample[];
}

/**
 * Writes metrics in the Prometheus text format, version 0.0.4. Metrics of one name are joined under one heading, and a
 * metric without samples is left out.
 */
export function prometheusText(metrics: readonly Metric[]): string {
  const byName = new Map<string, Metric>();
  for (const metric of metrics) {
    const known = byName.get(metric.name);
    if (known) known.samples.push(...metric.samples);
    else byName.set(metric.name, { ...metric, samples: [...metric.samples] });
  }
  let text = '';
  for (const metric of byName.values()) {
    if (metric.samples.length === 0) continue;
    text += `# HELP ${metric.name} ${escapeHelp(metric.help)}\n# TYPE ${metric.name} ${metric.type}\n`;
    for (const sample of metric.samples) text += `${metric.name}${labelText(sample.labels)} ${sample.value}\n`;
  }
  return text;
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
