import { expect, it } from 'vitest';
import type { AggregationState } from '../../../nodes/lib/aggregate/aggregator';
import { commandOf } from '../../../nodes/influx-aggregate/command';
import { Backfill } from '../../../nodes/influx-aggregate/progress';
import { aggregateView } from '../../../nodes/influx-aggregate/view';

const name = (text: string): string => text;
const STATE: AggregationState = {
  ...{ waiting: 0, oldest: undefined, open: 1, computed: 5, expired: 0, unusable: 0, trouble: undefined },
  ...{ refused: 0, refuses: false, corrections: 0 },
};

it.each([
  { from: '2026-07-01T00:00:00Z', to: '2026-07-01T02:00:00.5+01:00' },
  { from: '1782864000000000999', to: '1782867600500000000' },
  { from: 1782864000000, to: new Date(1782867600500) },
])('reads a range from $from to $to', ({ from, to }) => {
  const expected = { name: 'recompute', from: 1782864000000, to: 1782867600500 };
  expect(commandOf({ payload: 'recompute', from, to }, name)).toEqual(expected);
});

it('takes days, both included, as every other command with a range does', () => {
  const expected = { name: 'recompute', from: 1782864000000, to: 1783036800000 };
  expect(commandOf({ payload: 'recompute', from: '2026-07-01', to: '2026-07-02' }, name)).toEqual(expected);
});

it('knows status', () => {
  expect(commandOf({ payload: 'status' }, name)).toEqual({ name: 'status' });
});

it.each([
  [{ payload: 'recompute' }, 'range'],
  [{ payload: 'recompute', from: '2026-07-01T00:00:00', to: '2026-07-02T00:00:00' }, 'range'],
  [{ payload: 'recompute', from: null, to: 5 }, 'range'],
  [{ payload: 'recompute', from: 5, to: 5 }, 'range'],
  [{ payload: 'recompute', from: 1, to: '2026-13-01T00:00:00Z' }, 'range'],
  [{ payload: 7 }, 'command'],
  [{}, 'command'],
])('refuses %j', (message, reason) => {
  expect(() => commandOf(message, name)).toThrow(
    expect.objectContaining({ code: 'aggregate-failed', message: reason }),
  );
});

it('says what is broken, then what is waiting', () => {
  const view = (state: Partial<AggregationState>): object =>
    aggregateView({ ...STATE, ...state }, (text, values) => [text, ...Object.values(values ?? {})].join(' '));
  expect(view({})).toEqual({ intent: 'ok', text: 'up-to-date' });
  expect(view({ expired: 1200 })).toEqual({ intent: 'ok', text: 'up-to-date-but 1,200' });
  expect(view({ open: 0, computed: 0 })).toEqual({ intent: 'idle', text: 'nothing' });
  expect(view({ waiting: 1 })).toEqual({ intent: 'working', text: 'one-window' });
  expect(view({ waiting: 1200 })).toEqual({ intent: 'working', text: 'windows 1,200' });
  expect(view({ waiting: 1200, oldest: Date.UTC(2026, 6, 1, 12, 5) })).toEqual({
    intent: 'working',
    text: 'windows-since 1,200 2026-07-01 12:05Z',
  });
  expect(view({ waiting: 2, trouble: 'x'.repeat(70) })).toEqual({
    intent: 'trouble',
    text: `trouble ${'x'.repeat(16)}…`,
  });
});

it('tells the progress of a back-fill once a second and at its end, and nothing of the daily work', () => {
  let now = 10_000;
  const backfill = new Backfill(() => now);
  const batch = {
    ...{ measurement: 'm', bucket: 'raw', into: 'x', every: 1, from: 0, to: 1, series: 1, corrections: 0 },
    ...{ windows: 20, points: 600, milliseconds: 500 },
  };
  const after = (waiting: number): unknown => backfill.after(batch, { ...STATE, waiting });
  expect(after(3)).toBeUndefined();
  expect(after(100)).toEqual({ waiting: 100, computed: 20, points: 600, milliseconds: 500, windowsPerSecond: 40 });
  now += 500;
  expect(after(80)).toBeUndefined();
  now += 500;
  expect(after(60)).toMatchObject({ waiting: 60, computed: 60, milliseconds: 1500, windowsPerSecond: 40 });
  now += 100;
  expect(after(0)).toMatchObject({ waiting: 0, computed: 80 });
  expect(after(0)).toBeUndefined();
});
