import type { Node, NodeAPI } from 'node-red';
import { total, type MessageCounters } from './counters';
import { count, type StatusView } from './status';

/**
 * The status of a node that lets messages pass or rejects them, in the words of its catalogue:
 * `<type>.status.waiting`, `.ok` with `__passed__`, `.rejected` with `__passed__` and `__rejected__`.
 *
 * @param trouble - catalogue name of what an operator must put right first, if anything: `<type>.status.<trouble>`
 */
export function checkView(
  RED: NodeAPI,
  node: Node,
  counters: MessageCounters,
  trouble: string | undefined,
): StatusView {
  const text = (name: string, values?: Record<string, string>) => RED._(`${node.type}.status.${name}`, values);
  if (trouble !== undefined) return { intent: 'misconfigured', text: text(trouble) };
  if (counters.received === 0) return { intent: 'idle', text: text('waiting') };
  const passed = count(total(counters.passed));
  const rejected = total(counters.rejected);
  return rejected === 0
    ? { intent: 'ok', text: text('ok', { passed }) }
    : { intent: 'ok', text: text('rejected', { passed, rejected: count(rejected) }) };
}
