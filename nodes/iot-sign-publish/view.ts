import type { SessionState } from '../lib/mqtt/session';
import { count, shortened, type StatusView } from '../lib/runtime/status';

/** What the status of `iot-sign-publish` is made of. */
export interface PublishState {
  /** Catalogue name of what an operator must put right first, if anything. */
  trouble: string | undefined;
  /** Why actions cannot be stored on disk, if so. */
  storeProblem: string | undefined;
  connection: SessionState;
  pending: number;
  /** Of the pending ones: actions that wait for an older one of their topic. */
  waiting: number;
  done: number;
  /** Rejected or given up. */
  failed: number;
}

/** As in core: the words of the catalogue, `iot-sign-publish.status.<name>`. */
type Translate = (name: string, values?: Record<string, string>) => string;

/** The status that tells an operator most: what is broken first, then what is pending, then what was done. */
export function publishView(state: PublishState, text: Translate): StatusView {
  const { trouble, storeProblem, connection, done, failed } = state;
  const pending = count(state.pending);
  if (trouble !== undefined) return { intent: 'misconfigured', text: text(trouble) };
  if (storeProblem !== undefined) {
    return { intent: 'misconfigured', text: shortened(text('store', { reason: storeProblem })) };
  }
  switch (connection.state) {
    case 'connecting':
      return { intent: 'connecting', text: text('connecting', { pending }) };
    case 'trouble':
      return { intent: 'trouble', text: shortened(text('trouble', { reason: connection.reason, pending })) };
    case 'taken-over':
      return { intent: 'misconfigured', text: text('taken-over', { pending }) };
    case 'connected':
      if (state.waiting > 0) {
        return { intent: 'working', text: text('waiting', { pending, waiting: count(state.waiting) }) };
      }
      if (state.pending > 0) return { intent: 'working', text: text('pending', { pending }) };
      if (done + failed === 0) return { intent: 'ok', text: text('connected') };
      return failed === 0
        ? { intent: 'ok', text: text('done', { done: count(done) }) }
        : { intent: 'ok', text: text('failed', { done: count(done), failed: count(failed) }) };
  }
}
