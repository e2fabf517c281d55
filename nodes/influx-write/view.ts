import { count, shortened, type StatusView } from '../lib/runtime/status';

/** What the status of `influx-write` is made of. */
export interface WriteState {
  /** Why points cannot be stored on disk at all, if so. */
  storeProblem: string | undefined;
  /** What keeps a bucket from being written to, if anything: the server's own words, and whether only an operator can put it right. */
  trouble: { reason: string; needsOperator: boolean } | undefined;
  /** Nothing was ever written. */
  isNew: boolean;
  /** Points of the last minutes. */
  written: number;
  refused: number;
  /** Gave way to newer points because the queue was full. */
  dropped: number;
  queued: number;
  /** Points in queues that no server writes any more. */
  unowned: number;
}

/** As in core: the words of the catalogue, `influx-write.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/** A queue up to this size is the writer at work, not a backlog. */
const BATCH = 5000;

/** The status that tells an operator most: what is broken first, then what was lost, then what is waiting, then what was done. */
export function writeView(state: WriteState, text: Translate): StatusView {
  const { storeProblem, trouble, written, refused, dropped, queued, unowned } = state;
  if (storeProblem !== undefined)
    return { intent: 'misconfigured', text: shortened(text('store', { reason: storeProblem })) };
  if (trouble) {
    const intent = trouble.needsOperator ? 'misconfigured' : 'trouble';
    return { intent, text: shortened(text('trouble', { reason: trouble.reason, queued: count(queued) })) };
  }
  if (dropped > 0) return { intent: 'warning', text: text('dropped', { dropped: count(dropped) }) };
  if (refused > 0) {
    const intent = written > 0 ? 'warning' : 'trouble';
    return { intent, text: text('refused', { written: count(written), refused: count(refused) }) };
  }
  if (unowned > 0) return { intent: 'warning', text: text('unowned', { unowned: count(unowned) }) };
  if (queued > BATCH) return { intent: 'working', text: text('queued', { queued: count(queued) }) };
  if (written > 0) return { intent: 'ok', text: text('written', { written: count(written) }) };
  return { intent: 'idle', text: text(state.isNew ? 'waiting' : 'quiet') };
}
