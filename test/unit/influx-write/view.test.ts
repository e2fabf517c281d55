import { describe, expect, it } from 'vitest';
import { writeView, type WriteState } from '../../../nodes/influx-write/view';

const quiet: WriteState = {
  storeProblem: undefined,
  trouble: undefined,
  written: 0,
  refused: 0,
  dropped: 0,
  queued: 0,
  unowned: 0,
};
const view = (state: Partial<WriteState>) =>
  writeView({ ...quiet, ...state }, (name, values) => [name, ...Object.values(values ?? {})].join(' '));

describe('the status of influx-write', () => {
  it('is grey until there is something to say', () => {
    expect(view({})).toEqual({ intent: 'idle', text: 'waiting' });
  });

  it('counts what is written, and what is refused when there is any', () => {
    expect(view({ written: 12431 })).toEqual({ intent: 'ok', text: 'written 12,431' });
    expect(view({ written: 7, refused: 2 })).toEqual({ intent: 'ok', text: 'refused 7 2' });
  });

  it('shows a backlog, but not the batch that is being written', () => {
    expect(view({ written: 1, queued: 5000 }).intent).toBe('ok');
    expect(view({ written: 1, queued: 5001 })).toEqual({ intent: 'working', text: 'queued 5,001' });
  });

  it('gives the reason while InfluxDB cannot be written to', () => {
    const trouble = { reason: 'connect ECONNREFUSED 127.0.0.1:8086', needsOperator: false };
    expect(view({ trouble, queued: 3 })).toEqual({ intent: 'trouble', text: `trouble ${trouble.reason} 3` });
    expect(view({ trouble: { ...trouble, needsOperator: true } }).intent).toBe('misconfigured');
  });

  it('puts a store that takes nothing before everything else', () => {
    const shown = view({ storeProblem: 'no space left on device', trouble: { reason: 'x', needsOperator: false } });
    expect(shown).toEqual({ intent: 'misconfigured', text: 'store no space left on device' });
  });

  it('never hides that points were dropped', () => {
    const trouble = { reason: 'away', needsOperator: false };
    expect(view({ trouble, queued: 3, dropped: 1200 })).toEqual({
      intent: 'trouble',
      text: 'dropped trouble away 3 1,200',
    });
  });

  it('cuts what no status can show', () => {
    expect(view({ storeProblem: 'x'.repeat(500) }).text.length).toBeLessThan(80);
  });

  it('tells of points in queues that no server writes', () => {
    expect(view({ written: 3, unowned: 1200 })).toEqual({ intent: 'ok', text: 'unowned written 3 1,200' });
  });
});
