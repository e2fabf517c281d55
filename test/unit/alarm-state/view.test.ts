import { expect, it } from 'vitest';
import { alarmView } from '../../../nodes/alarm-state/view';

const text = (name: string, values?: Record<string, string>) => [name, ...Object.values(values ?? {})].join(' ');
const quiet = { raised: 0, silent: 0, unacknowledged: 0 };

it('says what is active, and first of all what keeps the node from knowing', () => {
  expect(alarmView('registry-faults', 'the disk is full', undefined, quiet, text)).toEqual({
    intent: 'misconfigured',
    text: 'registry-faults',
  });
  expect(alarmView(undefined, 'x'.repeat(100), undefined, quiet, text)).toEqual({
    intent: 'misconfigured',
    text: `store ${'x'.repeat(18)}…`,
  });
  expect(alarmView(undefined, undefined, undefined, undefined, text)).toEqual({ intent: 'idle', text: 'waiting' });
  expect(alarmView(undefined, undefined, undefined, quiet, text)).toEqual({ intent: 'ok', text: 'quiet' });
  const active = (raised: number, silent: number) =>
    alarmView(undefined, undefined, undefined, { raised, silent, unacknowledged: 0 }, text);
  expect(active(1200, 0)).toEqual({ intent: 'working', text: 'raised 1,200' });
  expect(active(0, 3)).toEqual({ intent: 'working', text: 'silent 3' });
  expect(active(2, 3)).toEqual({ intent: 'working', text: 'both 2 3' });
  expect(alarmView(undefined, undefined, 'clock', { raised: 2, silent: 0, unacknowledged: 0 }, text)).toEqual({
    intent: 'connecting',
    text: 'raised 2 · notice.clock',
  });
});
