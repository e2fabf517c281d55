import { HOURS, isDay, startOf, type TimeRange } from '../lib/backup/days';
import { PackError } from '../lib/errors';

const NAMES = ['backup', 'verify', 'restore', 'list'] as const;
export type CommandName = (typeof NAMES)[number];

/** What a message asks for. */
export interface Command {
  name: CommandName;
  /** Default: all. */
  bucket?: string;
  range: TimeRange;
  /** `restore`: the bucket to write to. */
  into?: string;
  /** `restore`: write nothing. */
  dryRun: boolean;
  /** `backup`: make all copies anew. */
  full: boolean;
  /** `backup`: what InfluxDB holds replaces the copies, even where it holds less. */
  shrink: boolean;
  /** Whose copies are meant, by the name of their folder; default: those of the node's own server. */
  copiesOf?: string;
}

/** The properties of a message that are read. */
export interface CommandMessage {
  payload?: unknown;
  bucket?: unknown;
  from?: unknown;
  to?: unknown;
  into?: unknown;
  dryRun?: unknown;
  full?: unknown;
  confirm?: unknown;
  copiesOf?: unknown;
}

/** The words of the catalogue, `influx-backup.error.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/**
 * Reads a message.
 *
 * @throws PackError `backup-failed`
 */
export function commandOf(message: CommandMessage, text: Translate): Command {
  const name = NAMES.find((each) => each === message.payload);
  if (!name) throw new PackError('backup-failed', text('command'));
  const { confirm } = message;
  const range = { from: momentOf(message, 'from', text), to: momentOf(message, 'to', text) };
  if (range.from !== undefined && range.to !== undefined && range.from >= range.to) {
    throw new PackError('backup-failed', text('range'));
  }
  const command: Command = {
    name,
    range,
    dryRun: isAsked(message, 'dryRun', text),
    full: isAsked(message, 'full', text),
    shrink: confirm === 'shrink',
    ...optional(message, 'bucket', text),
    ...optional(message, 'into', text),
    ...optional(message, 'copiesOf', text),
  };
  // Several buckets must not flow together into one by mistake.
  if (command.into !== undefined && command.bucket === undefined) {
    throw new PackError('backup-failed', text('into'));
  }
  // A backup is always made, and always of the own server: who says otherwise expects something else.
  if (name === 'backup' && (command.dryRun || command.copiesOf !== undefined)) {
    throw new PackError('backup-failed', text('not-for-backup', { name: command.dryRun ? 'dryRun' : 'copiesOf' }));
  }
  return command;
}

/** What is meant by "yes" must not be guessed: a dry run that is not one would write. */
function isAsked(message: CommandMessage, name: 'dryRun' | 'full', text: Translate): boolean {
  const value = message[name];
  if (value === undefined || value === null || value === '') return false;
  if (typeof value !== 'boolean') throw new PackError('backup-failed', text('not-boolean', { name }));
  return value;
}

function optional<K extends 'bucket' | 'into' | 'copiesOf'>(
  message: CommandMessage,
  name: K,
  text: Translate,
): Partial<Record<K, string>> {
  const value = message[name];
  if (value === undefined || value === null || value === '') return {};
  if (typeof value !== 'string') throw new PackError('backup-failed', text('not-text', { name }));
  return { [name]: value } as Record<K, string>;
}

const DIGITS = /^-?[0-9]{1,19}$/;
const ZONED = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})$/;

/**
 * Nanoseconds since 1970. A day is meant from its start to its end, so as `to` it is included. Digits are nanoseconds, as
 * everywhere in InfluxDB; a number or a Date is what JavaScript takes it for.
 */
function momentOf(message: CommandMessage, name: 'from' | 'to', text: Translate): bigint | undefined {
  const value = message[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'bigint') return value;
  if (typeof value === 'string') {
    if (isDay(value)) return startOf(value, name === 'from' ? 0 : HOURS);
    if (DIGITS.test(value)) return BigInt(value);
  }
  const isMoment =
    typeof value === 'number' || value instanceof Date || (typeof value === 'string' && ZONED.test(value));
  const milliseconds = isMoment ? new Date(value).getTime() : NaN;
  if (Number.isNaN(milliseconds)) throw new PackError('backup-failed', text('moment', { name }));
  return BigInt(milliseconds) * 1_000_000n;
}
