import type { TimeRange } from '../lib/backup/days';
import { PackError } from '../lib/errors';
import { momentOf, type RangeEnd } from '../lib/moment';

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
  /** `backup`: the copies are of this server, though its address has changed. */
  hasMoved: boolean;
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
  const range = { from: endOf(message, 'from', text), to: endOf(message, 'to', text) };
  if (range.from !== undefined && range.to !== undefined && range.from >= range.to) {
    throw new PackError('backup-failed', text('range'));
  }
  const command: Command = {
    name,
    range,
    dryRun: isAsked(message, 'dryRun', text),
    full: isAsked(message, 'full', text),
    shrink: confirm === 'shrink',
    hasMoved: confirm === 'moved',
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

function endOf(message: CommandMessage, name: RangeEnd, text: Translate): bigint | undefined {
  try {
    return momentOf(message[name], name);
  } catch {
    throw new PackError('backup-failed', text('moment', { name }));
  }
}
