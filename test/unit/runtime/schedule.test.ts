import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { schedule } from '../../../nodes/lib/runtime/schedule';

const HOUR = 3_600_000;

beforeEach(() => vi.useFakeTimers({ now: Date.parse('2026-07-01T10:20:30Z') }));
afterEach(() => vi.useRealTimers());

describe('a period', () => {
  test('counts from 1970, whenever it was started', () => {
    const times: string[] = [];
    const running = schedule('6h', () => times.push(new Date().toISOString()));
    expect(running.next()).toEqual(new Date('2026-07-01T12:00:00Z'));
    vi.advanceTimersByTime(14 * HOUR);
    expect(times).toEqual(['2026-07-01T12:00:00.000Z', '2026-07-01T18:00:00.000Z', '2026-07-02T00:00:00.000Z']);
    running.close();
    vi.advanceTimersByTime(24 * HOUR);
    expect(times).toHaveLength(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('may be longer than a timer can be', () => {
    const run = vi.fn();
    const running = schedule('52w', run);
    const next = running.next()?.getTime() ?? 0;
    vi.advanceTimersByTime(next - Date.now() - 1);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
    running.close();
  });

  test('follows the clock when that is put back or forward', () => {
    const run = vi.fn();
    const running = schedule('1h', run);
    vi.setSystemTime(Date.parse('2026-06-01T10:20:30Z'));
    vi.advanceTimersByTime(HOUR);
    expect(run).toHaveBeenCalledTimes(1);
    vi.setSystemTime(Date.parse('2026-08-01T10:20:30Z'));
    vi.advanceTimersByTime(60_000);
    expect(run).toHaveBeenCalledTimes(2);
    running.close();
  });
});

describe('a cron expression', () => {
  test('of five or six parts runs at its time', () => {
    const run = vi.fn();
    const running = schedule('*/30 * * * *', run);
    expect(running.next()).toEqual(new Date('2026-07-01T10:30:00Z'));
    vi.advanceTimersByTime(HOUR);
    expect(run).toHaveBeenCalledTimes(2);
    running.close();
    expect(vi.getTimerCount()).toBe(0);
    const seconds = schedule(' 15 * * * * * ', run);
    expect(seconds.next()?.getUTCSeconds()).toBe(15);
    seconds.close();
  });
});

test('an empty text is never', () => {
  const running = schedule('  ', () => undefined);
  expect(running.next()).toBeUndefined();
  running.close();
  expect(vi.getTimerCount()).toBe(0);
});

test.each(['61 * * * *', '1 day', '* * *', '0d', 'daily at three', '* * * * * * *'])('%j is refused', (text) => {
  expect(() => schedule(text, () => undefined)).toThrow(
    expect.objectContaining({
      code: 'not-configured',
      message: expect.stringContaining(`"${text}"`) as string,
    }) as Error,
  );
  expect(vi.getTimerCount()).toBe(0);
});

test.each(['0 0 30 2 *', '2020-01-01T00:00:00'])('%j never comes and is refused', (text) => {
  expect(() => schedule(text, () => undefined)).toThrow('never comes');
  expect(vi.getTimerCount()).toBe(0);
});
