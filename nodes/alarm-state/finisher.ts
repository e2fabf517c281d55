import type { Done, MessageNode } from '../lib/runtime/message-node';

/** What ends a message: it calls `done`, and may throw. */
export type Finish = (done: Done) => void;

/**
 * Counts a message as under way until it is ended. That can be done once, and calls `done` once, whatever is thrown on the
 * way.
 */
export function finisher(
  runtime: Pick<MessageNode, 'counters' | 'fail' | 'status'>,
  done: Done,
): (finish: Finish) => void {
  let isDone = false;
  const once: Done = (error) => {
    if (isDone) return;
    isDone = true;
    done(error);
  };
  let isPending = true;
  runtime.counters.pending += 1;
  return (finish) => {
    if (!isPending) return;
    isPending = false;
    runtime.counters.pending -= 1;
    try {
      finish(once);
    } catch (error) {
      runtime.fail(once, error);
    }
    runtime.status.touch();
  };
}
