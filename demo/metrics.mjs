const LINE = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z]+)="((?:[^"\\]|\\.)*)"/g;

/** Reads Prometheus text: a list of { name, labels, value }. */
function parse(text) {
  return text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    if (!match) return [];
    const labels = Object.fromEntries([...(match[2] ?? '').matchAll(LABEL)].map(([, name, value]) => [name, value]));
    return [{ name: match[1], labels, value: Number(match[3]) }];
  });
}

async function readSamples({ url }) {
  const response = await fetch(`${url}/mqtt2influx/metrics`);
  if (!response.ok) throw new Error(`no metrics: ${response.status}`);
  return parse(await response.text());
}

function summing(samples) {
  return (name, labels = {}) =>
    samples
      .filter((sample) => sample.name === `mqtt2influx_${name}`)
      .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      .reduce((total, sample) => total + sample.value, 0);
}

/** What became of alarms and actions: { raised, cleared, silent, acknowledged, failed }. */
export async function readOperations(nodeRed) {
  const sum = summing(await readSamples(nodeRed));
  return {
    raised: sum('messages_judged_total', { event: 'raised' }),
    cleared: sum('messages_judged_total', { event: 'cleared' }),
    silent: sum('alarms', { state: 'silent' }),
    acknowledged: sum('actions_completed_total', { step: 'acknowledged' }),
    failed: sum('actions_failed_total'),
  };
}

/**
 * The counts of the whole flow: { received, verified, routed, rejected: { code: number }, accepted, written, refused, queued }.
 */
export async function readCounts(nodeRed) {
  const samples = await readSamples(nodeRed);
  const sum = summing(samples);
  const rejected = {};
  for (const { name, labels, value } of samples) {
    const counts = name === 'mqtt2influx_messages_rejected_total' && labels.type !== 'influx-write' && value > 0;
    if (counts) rejected[labels.code] = (rejected[labels.code] ?? 0) + value;
  }
  return {
    received: sum('messages_received_total', { type: 'hmac-verify' }),
    verified: sum('messages_verified_total'),
    routed: sum('messages_routed_total'),
    rejected,
    accepted: sum('messages_accepted_total'),
    written: sum('points_written_total'),
    refused: sum('points_refused_total'),
    queued: sum('points_queued') + sum('points_accepting'),
  };
}

export const total = (numbers) => Object.values(numbers).reduce((sum, number) => sum + number, 0);

/** The counts in one line. */
export function describe({ received, verified, rejected, written, refused, queued }) {
  const codes = Object.entries(rejected).sort(([a], [b]) => (a < b ? -1 : 1));
  const reasons = codes.map(([code, number]) => `${code} ${number}`).join(', ');
  const parts = [`${received} received`, `${verified} verified`, `${written} written`, `${queued} queued`];
  if (refused > 0) parts.push(`${refused} refused`);
  // Last: on a narrow terminal the end of the line is cut.
  parts.push(`${total(rejected)} rejected${reasons && ` (${reasons})`}`);
  return parts.join(' · ');
}
