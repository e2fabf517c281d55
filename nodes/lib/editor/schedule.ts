import { Cron } from 'croner';
import { parseDuration } from '../registry/durations';

/**
 * Whether a text says when something is done by itself: a period such as `1d`, `12h` or `30m`, or a cron expression that
 * comes true some day. Empty: never. The runtime reads it with the same parsers.
 */
export function isSchedule(text: string): boolean {
  const written = text.trim();
  return written === '' || parseDuration(written) !== undefined || isCron(written);
}

function isCron(text: string): boolean {
  try {
    return new Cron(text, { mode: '5-or-6-parts', paused: true }).nextRun() !== null;
  } catch {
    return false;
  }
}
