import type { AggregationState } from '../lib/aggregate/aggregator';
import { count, shortened, type StatusView } from '../lib/runtime/status';

/** As in core: the words of the catalogue, `influx-aggregate.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/** The status that tells an operator most: what is broken, then what is waiting. */
export function aggregateView(state: AggregationState, text: Translate): StatusView {
  const { trouble, waiting, oldest, open, computed, expired, refused, refuses } = state;
  const windows = count(waiting);
  if (trouble !== undefined)
    return { intent: 'trouble', text: shortened(text('trouble', { reason: trouble, windows })) };
  if (refuses) return { intent: 'trouble', text: text('refuses', { refused: count(refused) }) };
  if (waiting === 1) return { intent: 'working', text: text('one-window') };
  if (waiting > 0) {
    const since =
      oldest === undefined
        ? text('windows', { windows })
        : text('windows-since', { windows, oldest: minuteText(oldest) });
    return { intent: 'working', text: since };
  }
  if (computed + open === 0) return { intent: 'idle', text: text('nothing') };
  if (refused > 0) return { intent: 'ok', text: text('up-to-date-refused', { refused: count(refused) }) };
  if (expired > 0) return { intent: 'ok', text: text('up-to-date-but', { windows: count(expired) }) };
  return { intent: 'ok', text: text('up-to-date') };
}

/** A time in UTC, as windows are: `2026-07-01 12:05Z`. */
function minuteText(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')}Z`;
}
