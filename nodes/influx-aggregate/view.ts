import type { AggregationState } from '../lib/aggregate/aggregator';
import { count, type StatusView } from '../lib/runtime/status';

/** As in core: the words of the catalogue, `influx-aggregate.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/** The server's words are cut here; the log has them in full. */
const REASON_LENGTH = 60;

/** The status that tells an operator most: what is broken, then what is waiting. */
export function aggregateView(state: AggregationState, text: Translate): StatusView {
  const { trouble, waiting, open, computed } = state;
  const windows = count(waiting);
  if (trouble !== undefined) return { intent: 'trouble', text: text('trouble', { reason: short(trouble), windows }) };
  if (waiting > 0) return { intent: 'working', text: text(waiting === 1 ? 'one-window' : 'windows', { windows }) };
  if (computed + open === 0) return { intent: 'idle', text: text('nothing') };
  return { intent: 'ok', text: text('up-to-date') };
}

function short(reason: string): string {
  return reason.length <= REASON_LENGTH ? reason : `${reason.slice(0, REASON_LENGTH - 1)}…`;
}
