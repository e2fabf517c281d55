import type { NoticeName } from '../lib/alarm/notices';
import { count, shortened, type StatusView } from '../lib/runtime/status';

/** What the status of `alarm-state` is made of. */
export interface AlarmTotals {
  raised: number;
  silent: number;
  unacknowledged: number;
}

/** As in core: the words of the catalogue, `alarm-state.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/** The status that tells an operator most. Alarms are the node's work, not its trouble: red is for what keeps it from that. */
export function alarmView(
  trouble: string | undefined,
  storeProblem: string | undefined,
  /** Newest of what an operator should know, of the last minutes. */
  notice: NoticeName | undefined,
  totals: AlarmTotals | undefined,
  text: Translate,
): StatusView {
  if (trouble !== undefined) return { intent: 'misconfigured', text: text(trouble) };
  if (storeProblem !== undefined)
    return { intent: 'misconfigured', text: shortened(text('store', { reason: storeProblem })) };
  if (totals === undefined) return { intent: 'idle', text: text('waiting') };
  const plain = plainView(totals, text);
  // The number of alarms comes first: a status is cut at its end.
  return notice === undefined ? plain : { intent: 'connecting', text: `${plain.text} · ${text(`notice.${notice}`)}` };
}

function plainView(totals: AlarmTotals, text: Translate): StatusView {
  const raised = count(totals.raised);
  const silent = count(totals.silent);
  if (totals.raised + totals.silent === 0) return { intent: 'ok', text: text('quiet') };
  if (totals.silent === 0) return { intent: 'working', text: text('raised', { raised }) };
  return totals.raised === 0
    ? { intent: 'working', text: text('silent', { silent }) }
    : { intent: 'working', text: text('both', { raised, silent }) };
}
