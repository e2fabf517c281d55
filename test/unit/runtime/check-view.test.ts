import type { Node, NodeAPI } from 'node-red';
import { expect, test } from 'vitest';
import { checkView } from '../../../nodes/lib/runtime/check-view';
import { MessageCounters } from '../../../nodes/lib/runtime/counters';
import type { RecentMessages } from '../../../nodes/lib/runtime/message-node';

const RED = {
  _: (name: string, values?: Record<string, string>) => [name, ...Object.values(values ?? {})].join(' '),
} as unknown as NodeAPI;

function view(recent: Partial<RecentMessages>, received = 1) {
  const counters = new MessageCounters('hmac-verify');
  counters.received = received;
  counters.passed['verified'] = 1_000_000;
  return checkView(RED, { type: 'hmac-verify' } as unknown as Node, {
    counters,
    recent: { passed: 0, refused: 0, newest: undefined, ...recent },
    trouble: undefined,
    deviceOf: (topic) => (topic.startsWith('sensors/') ? topic.slice(8) : undefined),
  });
}

const newest = { code: 'bad-signature', topic: 'sensors/hall/d1' };

test('the status tells of the last minutes, whatever happened before', () => {
  expect(view({}, 0)).toEqual({ intent: 'idle', text: 'hmac-verify.status.waiting' });
  expect(view({})).toEqual({ intent: 'idle', text: 'hmac-verify.status.quiet' });
  expect(view({ passed: 1234, newest })).toEqual({ intent: 'ok', text: 'hmac-verify.status.ok 1,234' });
  expect(view({ passed: 1234, refused: 1, newest })).toEqual({ intent: 'warning', text: 'bad-signature hall/d1' });
  expect(view({ refused: 200, newest })).toEqual({ intent: 'trouble', text: 'bad-signature hall/d1' });
});

test('a long name is cut at its start, and the whole is no wider than a status', () => {
  const { text } = view({ refused: 1, newest: { ...newest, topic: 'sensors/a very long building/floor 7/device-17' } });
  expect(text).toBe('bad-signature …/device-17');
  expect(text).toHaveLength(25);
  expect(view({ refused: 1, newest: { code: 'unregistered', topic: 'x' } }).text).toBe('unregistered x');
  expect(view({ refused: 1, newest: { code: 'registry-unavailable' } }).text).toBe('registry-unavailable');
});
