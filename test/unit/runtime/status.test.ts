import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StatusDisplay, count, type StatusView } from '../../../nodes/lib/runtime/status';

describe('the status under a node', () => {
  let shown: object[];
  let view: StatusView;
  let display: StatusDisplay;

  beforeEach(() => {
    vi.useFakeTimers();
    shown = [];
    view = { intent: 'idle', text: 'waiting' };
    const node = { status: (status: object) => shown.push(status) };
    display = new StatusDisplay(node, () => view);
  });

  afterEach(() => {
    display.close();
    vi.useRealTimers();
  });

  it('is shown at once', () => {
    expect(shown).toEqual([{ fill: 'grey', shape: 'ring', text: 'waiting' }]);
  });

  it('changes at most once a second, to what is true then', () => {
    for (let i = 0; i < 5000; i++) {
      view = { intent: 'ok', text: `${i}` };
      display.touch();
    }
    expect(shown).toHaveLength(1);
    vi.advanceTimersByTime(1000);
    expect(shown.slice(1)).toEqual([{ fill: 'green', shape: 'dot', text: '4999' }]);
  });

  it('is not sent again while it is the same', () => {
    display.touch();
    vi.advanceTimersByTime(1000);
    expect(shown).toHaveLength(1);
  });

  it('leaves no timer when closed', () => {
    display.touch();
    display.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('writes counts as people read them', () => {
    expect(count(12431)).toBe('12,431');
  });
});
