import { expect, test } from 'vitest';
import { commandOf } from '../../../nodes/influx-provision/command';
import { driftOf, isInOrder } from '../../../nodes/influx-provision/drift';
import { provisionView, type ProvisionState } from '../../../nodes/influx-provision/view';

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
