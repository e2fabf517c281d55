import { PackError } from '../lib/errors';

/** What a message asks for. */
export interface Command {
  name: 'plan' | 'apply';
  /** Whether retentions may be made shorter, which deletes points. */
  allowShorten: boolean;
}

/**
 * Reads a message: `msg.command`, or `msg.payload` where there is none; `msg.confirm`.
 *
 * @param unknown - the error's text for anything else
 * @throws PackError `provision-failed`
 */
export function commandOf(
  { command, payload, confirm }: { command?: unknown; payload?: unknown; confirm?: unknown },
  unknown: string,
): Command {
  const name = command ?? payload;
  if (name !== 'plan' && name !== 'apply') throw new PackError('provision-failed', unknown);
  return { name, allowShorten: confirm === 'shorten' };
}
