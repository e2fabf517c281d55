import { PackError } from '../lib/errors';
import { momentOf, type RangeEnd } from '../lib/moment';

/** What a message asks for. Times in milliseconds since 1970. */
export type Command = { name: 'status' } | { name: 'recompute'; from: number; to: number };

/** Why a message asks for nothing that can be done, by the name of its text: `influx-aggregate.error.<name>`. */
type Translate = (name: string) => string;

/**
 * Reads a message.
 *
 * @throws PackError `aggregate-failed`
 */
export function commandOf(message: { payload?: unknown; from?: unknown; to?: unknown }, text: Translate): Command {
  const { payload, from, to } = message;
  if (payload === 'status') return { name: 'status' };
  if (payload !== 'recompute') throw new PackError('aggregate-failed', text('command'));
  const range = { from: endOf(from, 'from'), to: endOf(to, 'to') };
  if (range.from === undefined || range.to === undefined || range.from >= range.to) {
    throw new PackError('aggregate-failed', text('range'));
  }
  return { name: 'recompute', from: range.from, to: range.to };
}

function endOf(value: unknown, end: RangeEnd): number | undefined {
  try {
    const moment = momentOf(value, end);
    return moment === undefined ? undefined : Number(moment / 1_000_000n);
  } catch {
    return undefined;
  }
}
