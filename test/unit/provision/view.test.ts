import { expect, test } from 'vitest';
import { commandOf } from '../../../nodes/influx-provision/command';
import { driftOf, isInOrder } from '../../../nodes/influx-provision/drift';
import { provisionView, type ProvisionState } from '../../../nodes/influx-provision/view';
import { troubleOf } from '../../../nodes/influx-server/trouble';
import type { BucketState } from '../../../nodes/lib/influx/bucket-writer';

const QUIET: ProvisionState = { working: undefined, failure: undefined, drift: undefined };

function view(state: Partial<ProvisionState>) {
  return provisionView({ ...QUIET, ...state }, (name, { count } = {}) =>
    count === undefined ? name : `${count} ${name}`,
  );
}

test('the status says what there is to know', () => {
  const drift = { missing: 2, different: 1, surplus: 0, same: 1200 };
  expect(view({})).toEqual({ intent: 'idle', text: 'waiting' });
  expect(view({ drift })).toEqual({ intent: 'trouble', text: '2 missing · 1 different' });
  expect(view({ drift: { ...drift, missing: 0, different: 0, surplus: 1000 } })).toEqual({
    intent: 'ok',
    text: 'in-order · 1,000 surplus',
  });
  expect(view({ drift: { ...drift, missing: 0, different: 0 } })).toEqual({ intent: 'ok', text: 'in-order' });
  expect(view({ drift, failure: 'x'.repeat(80) })).toEqual({ intent: 'trouble', text: `${'x'.repeat(24)}…` });
  expect(view({ drift, failure: 'x', working: 'apply' })).toEqual({ intent: 'working', text: 'apply' });
});

test('nothing is in order while points cannot be written', () => {
  const drift = { missing: 0, different: 0, surplus: 0, same: 2 };
  const state = { ...QUIET, drift };
  expect(provisionView(state, (name) => name, 'down')).toEqual({ intent: 'trouble', text: 'down' });
  expect(provisionView({ ...state, drift: { ...drift, missing: 1 } }, (name) => name, 'down').text).toBe('missing');
});

test('of what keeps points waiting, that which an operator must put right goes first', () => {
  const down = { state: 'retrying', reason: 'refused', since: 0 } as const;
  const missing = { state: 'configuration', reason: 'no database', since: 0 } as const;
  expect(troubleOf({ buckets: new Map([['a', { state: 'idle', since: 0 }]]) })).toBeUndefined();
  expect(troubleOf({ buckets: new Map([['a', down]]) })).toEqual({ reason: 'refused', needsOperator: false });
  const buckets = new Map<string, BucketState>([
    ['a', missing],
    ['b', down],
  ]);
  expect(troubleOf({ buckets })).toEqual({ reason: 'no database', needsOperator: true });
});

test('what was changed is in order', () => {
  const wanted = { retention: 3600 };
  const drift = driftOf([
    { bucket: 'a', state: 'missing', wanted, change: 'create', outcome: 'done' },
    { bucket: 'b', state: 'different', wanted, change: 'shorten', outcome: 'unconfirmed' },
    { bucket: 'c', state: 'same', wanted, change: 'none' },
    { bucket: 'd', state: 'surplus', change: 'none' },
  ]);
  expect(drift).toEqual({ missing: 0, different: 1, surplus: 1, same: 2 });
  expect(isInOrder(drift)).toBe(false);
  expect(isInOrder({ ...drift, different: 0 })).toBe(true);
});

test('commands', () => {
  expect(commandOf({ payload: 'plan' }, '')).toEqual({ name: 'plan', allowShorten: false });
  expect(commandOf({ payload: 7, command: 'apply', confirm: 'shorten' }, '')).toEqual({
    name: 'apply',
    allowShorten: true,
  });
  expect(commandOf({ payload: 'apply', confirm: true }, '').allowShorten).toBe(false);
  expect(() => commandOf({ payload: 'delete' }, 'neither')).toThrow(
    expect.objectContaining({ code: 'provision-failed', message: 'neither' }) as Error,
  );
});
