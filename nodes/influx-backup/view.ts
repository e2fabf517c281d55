import type { Progress } from '../lib/backup/progress';
import { count, shortened, type StatusView } from '../lib/runtime/status';
import type { Result } from './perform';

/** What the status of `influx-backup` is made of. */
export interface BackupState {
  /** What is being done, and how far it is once that is known. */
  working: { command: Result['command']; progress?: Progress } | undefined;
  /** Why the last command could not be done, if so. */
  failure: string | undefined;
  /** What the last command has done. */
  result: Result | undefined;
  /** When the next backup is due. */
  next: Date | undefined;
}

/** As in core: the words of the catalogue, `influx-backup.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/** The status that tells an operator most: what is going on, then what is wrong, then what was done. */
export function backupView(state: BackupState, text: Translate): StatusView {
  const { working, failure, result, next } = state;
  if (working) return { intent: 'working', text: workingText(working, text) };
  if (failure !== undefined) return { intent: 'trouble', text: text('failed', { reason: shortened(failure) }) };
  if (result) return viewOfResult(result, text);
  return next
    ? { intent: 'idle', text: text('next', { time: timeText(next) }) }
    : { intent: 'idle', text: text('waiting') };
}

function workingText({ command, progress }: NonNullable<BackupState['working']>, text: Translate): string {
  if (!progress) return text(`${command}-begins`);
  const { bucket, day, points } = progress;
  return text(`${progress.command}-goes-on`, { bucket, day, points: count(points) });
}

function viewOfResult(result: Result, text: Translate): StatusView {
  const intent = result.ok ? 'ok' : 'trouble';
  switch (result.command) {
    case 'backup': {
      const { missing, copied, points, buckets } = result;
      if (missing > 0) return { intent, text: text('missing', { missing: count(missing) }) };
      const [fault] = buckets.flatMap(({ faults, omitted, unreadable }) => [
        ...faults,
        ...(omitted ? [omitted.reason] : []),
        ...unreadable.map(({ reason }) => reason),
      ]);
      // What can never be copied is told, but is no fault of today.
      if (fault !== undefined)
        return { intent: result.ok ? 'warning' : intent, text: text('fault', { reason: shortened(fault) }) };
      const name = copied === 0 ? 'unchanged' : copied === 1 ? 'copied-day' : 'copied';
      return { intent, text: text(name, { days: count(copied), points: count(points) }) };
    }
    case 'verify':
      return { intent, text: text('verified', { days: count(result.days), points: count(result.points) }) };
    case 'restore': {
      const { dryRun, points, written, refused } = result;
      if (dryRun) return { intent, text: text('dry-run', { points: count(points) }) };
      const name = refused > 0 ? 'refused' : 'restored';
      return { intent, text: text(name, { written: count(written), refused: count(refused) }) };
    }
    case 'list':
      return { intent, text: text('listed', { days: count(result.days), points: count(result.points) }) };
  }
}

/** In the local time of the machine, as cron is. */
function timeText(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
