import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MinuteLog } from '../../../nodes/lib/runtime/minute-log';

describe('a log that says things once a minute', () => {
  let lines: string[];
  let log: MinuteLog;

  beforeEach(() => {
    vi.useFakeTimers();
    lines = [];
    log = new MinuteLog((text) => lines.push(text));
  });

  afterEach(() => {
    log.close();
    vi.useRealTimers();
  });

  it('says the first at once and the others together, with how many there were', () => {
    for (let i = 0; i < 1000; i++) log.say('stale', `stale: message ${i}`);
    expect(lines).toEqual(['stale: message 0']);
    vi.advanceTimersByTime(60_000);
    expect(lines).toEqual(['stale: message 0', 'stale: message 999 (999 times in the last minute)']);
  });

  it('keeps codes apart', () => {
    log.say('stale', 'stale');
    log.say('future', 'future');
    expect(lines).toEqual(['stale', 'future']);
  });

  it('says it at once again after a quiet minute', () => {
    log.say('stale', 'first');
    vi.advanceTimersByTime(60_000);
    log.say('stale', 'second');
    expect(lines).toEqual(['first', 'second']);
  });

  it('goes on counting from one minute to the next', () => {
    log.say('stale', 'a');
    log.say('stale', 'b');
    vi.advanceTimersByTime(60_000);
    log.say('stale', 'c');
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(60_000);
    expect(lines.at(-1)).toBe('c (1 times in the last minute)');
  });

  it('tells a hundred things apart and counts all others as one, so that a server that answers differently each time fills nothing', () => {
    for (let i = 0; i < 10_000; i++) log.say(`reason ${i}`, `reason ${i} ${'x'.repeat(100_000)}`);
    expect(lines).toHaveLength(101);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(2000);
    expect(vi.getTimerCount()).toBe(101);
    vi.advanceTimersByTime(60_000);
    expect(lines.at(-1)).toMatch(/\(9899 times in the last minute\)$/);
  });

  it('says what is left when it is closed, and leaves no timer', () => {
    log.say('stale', 'a');
    log.say('stale', 'b');
    log.close();
    expect(lines.at(-1)).toBe('b (1 times in the last minute)');
    expect(vi.getTimerCount()).toBe(0);
  });
});
