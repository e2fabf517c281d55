import { count, shortened, type StatusView } from '../lib/runtime/status';

/** What the status of `influx-write` is made of. */
export interface WriteState {
  /** Why points cannot be stored on disk at all, if so. */
  storeProblem: string | undefined;
  /** What keeps a bucket from being written to, if anything: the server's own words, and whether only an operator can put it right. */
  trouble: { reason: string; needsOperator: boolean } | undefined;
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
/** The status that tells an operator most: what is broken first, then what is waiting, then what was done; lost points always. */
export function writeView(state: WriteState, text: Translate): StatusView {
  const { dropped, unowned } = state;
  let view = viewOfDelivery(state, text);
  if (dropped > 0) view = { intent: view.intent, text: text('dropped', { rest: view.text, dropped: count(dropped) }) };
  if (unowned > 0) view = { intent: view.intent, text: text('unowned', { rest: view.text, unowned: count(unowned) }) };
  return view;
}

function viewOfDelivery(state: WriteState, text: Translate): StatusView {
  const { storeProblem, trouble, written, refused, queued } = state;
  if (storeProblem !== undefined)
    return { intent: 'misconfigured', text: text('store', { reason: shortened(storeProblem) }) };
  if (trouble) {
    const intent = trouble.needsOperator ? 'misconfigured' : 'trouble';
    return { intent, text: text('trouble', { reason: shortened(trouble.reason), queued: count(queued) }) };
  }
  if (queued > BATCH) return { intent: 'working', text: text('queued', { queued: count(queued) }) };
  if (written + refused + queued === 0) return { intent: 'idle', text: text('waiting') };
  return refused === 0
    ? { intent: 'ok', text: text('written', { written: count(written) }) }
    : { intent: 'ok', text: text('refused', { written: count(written), refused: count(refused) }) };
}
