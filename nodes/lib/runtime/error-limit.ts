import type { Node, NodeAPI } from 'node-red';
import { MinuteLog } from './minute-log';

/** How long the answer to "is there a Catch node?" is good for. */
const CHECK_INTERVAL = 1000;

type ReportError = (error: unknown, message?: object) => void;

/**
 * Without a Catch node, core logs the error of every single message: thousands a second when a disk is full. This lets
 * the log have the first of each code and then one a minute. Catch nodes still get every message.
 *
 * @returns a function that says what is still to be said, and stops
 */
export function limitErrors(RED: NodeAPI, node: Node): () => void {
  const limited = node as unknown as { error: ReportError };
  const report = limited.error.bind(node);
  const log = new MinuteLog((text) => report(text));
  let checkedAt = 0;
  let caught = false;
  limited.error = (error, message) => {
    const now = Date.now();
    if (now - checkedAt >= CHECK_INTERVAL) {
      checkedAt = now;
      caught = hasCatchNode(RED, node);
    }
    if (caught || !(error instanceof Error) || !('code' in error)) report(error, message);
    else log.say(String(error.code), error.message);
  };
  return () => {
    log.close();
    limited.error = report;
  };
}

/** Whether a Catch node could see this node's errors; inside a subflow that cannot be told, so there it is assumed. */
function hasCatchNode(RED: NodeAPI, node: Node): boolean {
  if (node._alias !== undefined) return true;
  let found = false;
  RED.nodes.eachNode((candidate) => {
    if (candidate.type === 'catch' && candidate.z === node.z) found = true;
  });
  return found;
}
