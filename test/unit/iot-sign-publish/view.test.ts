import { describe, expect, test } from 'vitest';
import { Tallies } from '../../../nodes/iot-sign-publish/tallies';
import { publishView, type PublishState } from '../../../nodes/iot-sign-publish/view';
import type { ActionRecord, Step } from '../../../nodes/lib/action/record';

const calm: PublishState = {
  trouble: undefined,
  storeProblem: undefined,
  connection: { state: 'connected' },
  pending: 0,
  waiting: 0,
  done: 0,
  failed: 0,
};

function shown(state: Partial<PublishState>): string {
  const { intent, text } = publishView(
    { ...calm, ...state },
    (name, values) => `${name} ${JSON.stringify(values ?? {})}`,
  );
  return `${intent}: ${text}`;
}

test('the status shows what is broken, then what is pending, then what was done', () => {
  const all = { pending: 1234, done: 5, failed: 6 };
  expect(shown({ ...all, trouble: 'no-keys', storeProblem: 'full' })).toBe('misconfigured: no-keys {}');
  expect(shown({ ...all, storeProblem: 'full' })).toBe('misconfigured: store {"reason":"full"}');
  expect(shown({ ...all, connection: { state: 'taken-over' } })).toBe('misconfigured: taken-over {"pending":"1,234"}');
  expect(shown({ ...all, connection: { state: 'connecting' } })).toBe('connecting: connecting {"pending":"1,234"}');
  const reason = 'x'.repeat(100);
  expect(shown({ ...all, connection: { state: 'trouble', reason } })).toMatch(/^trouble: trouble \{"reason":"x+…$/);
  expect(shown(all)).toBe('working: pending {"pending":"1,234"}');
  expect(shown({ ...all, waiting: 1200 })).toBe('working: waiting {"pending":"1,234","waiting":"1,200"}');
  expect(shown({ ...all, pending: 0 })).toBe('ok: failed {"done":"5","failed":"6"}');
  expect(shown({ done: 5 })).toBe('ok: done {"done":"5"}');
  expect(shown({})).toBe('ok: connected {}');
});

describe('the tallies', () => {
  const record = (id: string, step: Step, more: Partial<ActionRecord> = {}): ActionRecord => ({
    id,
    kind: 'action',
    node: 'n',
    origin: 'm',
    topic: 't',
    message: '{}',
    created: 0,
    expires: 1,
    steps: [{ step, time: '1' }],
    ...more,
  });

  test('count each action once, and the sum holds', () => {
    const tallies = new Tallies();
    for (const id of ['a', 'b', 'c', 'unborn']) tallies.create({ id });
    tallies.withdraw({ id: 'unborn' });
    tallies.find(record('a', 'created'));
    tallies.find(record('old', 'sent'));
    tallies.reach(record('a', 'published'));
    tallies.reach(record('a', 'published'));
    tallies.reach(record('b', 'published', { answer: { topic: 'x', within: 1 } }));
    tallies.reach(record('c', 'failed', { failure: { code: 'refused', reason: '' } }));
    tallies.reach(record('old', 'acknowledged'));
    expect(tallies).toMatchObject({ created: 3, recovered: 1, pending: 1, done: 2 });
    expect(tallies.completed).toEqual({ published: 1, acknowledged: 1 });
    expect(tallies.failed).toEqual({ refused: 1 });
    const values = tallies.metrics('n', 7).flatMap(({ name, samples }) => samples.map(({ value }) => [name, value]));
    expect(values).toContainEqual(['mqtt2influx_actions_pending', 1]);
    expect(values).toContainEqual(['mqtt2influx_actions_waiting', 7]);
  });
});
