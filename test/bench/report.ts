import type { Run } from './measure';
import { PEERS, type PeerName } from './peers';
import type { TimeByOwner } from './profile';
import { spreadOf, tableOf, type Spread } from './summary';

export interface PeerSummary {
  peer: PeerName;
  rate: Spread;
  /** Rate over the rate of each other peer, run by run. */
  ratios: Partial<Record<PeerName, Spread>>;
  cpuPerMessage: Spread;
  resident: Spread;
  peak: Spread;
  lost: Spread;
}

export interface Summary {
  messages: number;
  peers: PeerSummary[];
}

/** What the pack must reach. */
const FLOORS: { against: PeerName; ratio: number }[] = [
  { against: 'bare', ratio: 0.6 },
  { against: 'hand-made', ratio: 1.6 },
];

/** Sums up the runs with so many messages. */
export function summarize(runs: Run[], messages: number, peers: PeerName[]): Summary {
  const runsOf = (peer: PeerName): Run[] => runs.filter((run) => run.peer === peer && run.messages === messages);
  const summaryOf = (peer: PeerName): PeerSummary => {
    const own = runsOf(peer);
    const ratioTo = (other: PeerName): Spread => {
      const others = runsOf(other);
      return spreadOf(own.map((run, round) => run.rate / (others[round]?.rate ?? NaN)));
    };
    return {
      peer,
      rate: spreadOf(own.map(({ rate }) => rate)),
      ratios: Object.fromEntries(peers.filter((other) => other !== peer).map((other) => [other, ratioTo(other)])),
      cpuPerMessage: spreadOf(own.map(({ cpuPerMessage }) => cpuPerMessage)),
      resident: spreadOf(own.map(({ resident }) => resident)),
      peak: spreadOf(own.map(({ peak }) => peak)),
      lost: spreadOf(own.map(({ lost }) => lost)),
    };
  };
  return { messages, peers: peers.map(summaryOf) };
}

/** What the pack did not reach, in words. */
export function missedFloors(summaries: Summary[]): string[] {
  return summaries.flatMap(({ messages, peers }) => {
    const pack = peers.find(({ peer }) => peer === 'pack');
    if (!pack) return [];
    const missed = FLOORS.flatMap(({ against, ratio }) => {
      const reached = pack.ratios[against]?.median ?? Infinity;
      return reached < ratio
        ? [`${messages} messages: ${reached.toFixed(2)} of ${against}, not ${ratio.toFixed(2)}`]
        : [];
    });
    return pack.lost.highest > 0 ? [...missed, `${messages} messages: ${pack.lost.highest} lost`] : missed;
  });
}

function shown({ median, lowest, highest }: Spread, digits: number): string {
  const text = (value: number): string =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(median)} [${text(lowest)}..${text(highest)}]`;
}

export function summaryTable({ messages, peers }: Summary): string {
  const header = [
    `${messages.toLocaleString('en-US')} messages`,
    'msg/s',
    'of bare',
    'CPU µs/msg',
    'MB before',
    'MB peak',
    'lost',
  ];
  const rows = peers.map((summary) => [
    PEERS[summary.peer].title,
    shown(summary.rate, 0),
    summary.ratios.bare ? shown(summary.ratios.bare, 2) : '1.00',
    shown(summary.cpuPerMessage, 1),
    summary.resident.median.toFixed(0),
    shown(summary.peak, 0),
    shown(summary.lost, 0),
  ]);
  return tableOf(header, rows);
}

/** Main thread, in microseconds a message: one column a peer and size, the median of its runs. */
export function profileTable(runs: Run[]): string {
  const columns = new Map<string, Run[]>();
  for (const run of runs.filter(({ profile }) => profile !== undefined)) {
    const title = `${run.peer} ${run.messages}`;
    columns.set(title, [...(columns.get(title) ?? []), run]);
  }
  const medians = new Map<string, TimeByOwner>();
  for (const [title, column] of columns) {
    const owners = new Set(column.flatMap(({ profile }) => Object.keys(profile ?? {})));
    const median = (owner: string): number => spreadOf(column.map(({ profile }) => profile?.[owner] ?? 0)).median;
    medians.set(title, Object.fromEntries([...owners].map((owner) => [owner, median(owner)])));
  }
  const total = (times: TimeByOwner): number => Object.values(times).reduce((sum, time) => sum + time, 0);
  const mostFirst = [...medians.values()].reduce<TimeByOwner>((sums, times) => {
    for (const [owner, time] of Object.entries(times)) sums[owner] = (sums[owner] ?? 0) + time;
    return sums;
  }, {});
  const owners = Object.keys(mostFirst).sort((a, b) => (mostFirst[b] ?? 0) - (mostFirst[a] ?? 0));
  const rows = owners.map((owner) => [owner, ...[...medians.values()].map((times) => (times[owner] ?? 0).toFixed(2))]);
  rows.push(['together', ...[...medians.values()].map((times) => total(times).toFixed(2))]);
  return tableOf(['main thread, µs/msg', ...medians.keys()], rows);
}
