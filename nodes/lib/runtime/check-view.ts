import type { Node, NodeAPI } from 'node-red';
import type { MessageCounters } from './counters';
import type { RecentMessages } from './message-node';
import { count, STATUS_WIDTH, tailOf, type StatusView } from './status';

export interface CheckState {
  counters: MessageCounters;
  recent: RecentMessages;
  /** Catalogue name of what an operator must put right first, if anything: `<type>.status.<trouble>`. */
  trouble: string | undefined;
  /** Whose message came by a topic; it is shown in place of the topic. */
  deviceOf: (topic: string) => string | undefined;
}

/** What was refused in the last minutes: yellow, or red when nothing else got through; undefined when all was good. */
export function refusalView(
  { passed, refused, newest }: RecentMessages,
  deviceOf: CheckState['deviceOf'],
): StatusView | undefined {
  if (refused === 0 || !newest) return undefined;
  const { code, topic } = newest;
  const device = topic === undefined ? '' : tailOf(deviceOf(topic) ?? topic, STATUS_WIDTH - code.length - 1);
  return { intent: passed > 0 ? 'warning' : 'trouble', text: `${code} ${device}`.trim() };
}

/**
 * The status of a node that lets messages pass or rejects them: green when the last minutes were good, yellow when something was
 * rejected in them, red when nothing got through. In the words of its catalogue: `<type>.status.waiting`, `.quiet`, and
 * `.ok` with `__passed__`; the newest code and device need none.
 */
export function checkView(RED: NodeAPI, node: Node, { counters, recent, trouble, deviceOf }: CheckState): StatusView {
  const text = (name: string, values?: Record<string, string>) => RED._(`${node.type}.status.${name}`, values);
  if (trouble !== undefined) return { intent: 'misconfigured', text: text(trouble) };
  if (counters.received === 0) return { intent: 'idle', text: text('waiting') };
  const refusal = refusalView(recent, deviceOf);
  if (refusal) return refusal;
  return recent.passed > 0
    ? { intent: 'ok', text: text('ok', { passed: count(recent.passed) }) }
    : { intent: 'idle', text: text('quiet') };
}
