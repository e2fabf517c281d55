import type { AggregationState } from '../lib/aggregate/aggregator';
import { count, shortened, type StatusView } from '../lib/runtime/status';

/** As in core: the words of the catalogue, `influx-aggregate.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/** The status that tells an operator most: what is broken, then what is waiting. */
export function aggregateView(state: AggregationState, text: Translate): StatusView {
  const { trouble, waiting, open, computed } = state;
  const windows = count(waiting);
  if (trouble !== undefined)
    return { intent: 'trouble', text: text('trouble', { reason: shortened(trouble), windows }) };
  if (waiting > 0) return { intent: 'working', text: text(waiting === 1 ? 'one-window' : 'windows', { windows }) };
  if (computed + open === 0) return { intent: 'idle', text: text('nothing') };
  return { intent: 'ok', text: text('up-to-date') };
}
