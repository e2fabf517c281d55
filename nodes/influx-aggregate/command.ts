import { PackError } from '../lib/errors';

/** What a message asks for. Times in milliseconds since 1970. */
export type Command = { name: 'status' } | { name: 'recompute'; from: number; to: number };

/** Why a message asks for nothing that can be done, by the name of its text: `influx-aggregate.error.<name>`. */
type Translate = (name: string) => string;

const DIGITS = /^-?[0-9]{1,19}$/;
const ZONED = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})$/;

/**
 * Reads a message.
 *
 * @throws PackError `aggregate-failed`
 */
export function commandOf(message: { payload?: unknown; from?: unknown; to?: unknown }, text: Translate): Command {
  const { payload, from, to } = message;
  if (payload === 'status') return { name: 'status' };
  if (payload !== 'recompute') throw new PackError('aggregate-failed', text('command'));
  const range = { from: timeOf(from), to: timeOf(to) };
  if (range.from === undefined || range.to === undefined || range.from >= range.to) {
    throw new PackError('aggregate-failed', text('range'));
  }
  return { name: 'recompute', from: range.from, to: range.to };
}

/** Digits are nanoseconds, as everywhere in InfluxDB; a number or a Date is what JavaScript takes it for. */
function timeOf(value: unknown): number | undefined {
  if (typeof value === 'string') {
    if (DIGITS.test(value)) return Number(BigInt(value) / 1_000_000n);
    if (!ZONED.test(value)) return undefined;
  }
  const time = typeof value === 'number' ? value : new Date(value as string).getTime();
  return typeof value !== 'boolean' && value !== null && Number.isFinite(time) ? Math.floor(time) : undefined;
}
