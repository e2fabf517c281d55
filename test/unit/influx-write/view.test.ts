import { describe, expect, it } from 'vitest';
import { writeView, type WriteState } from '../../../nodes/influx-write/view';

const quiet: WriteState = {
  storeProblem: undefined,
  trouble: undefined,
  isNew: true,
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

  it('is green while points are written, yellow when some are refused, red when all are', () => {
    expect(view({ written: 12431 })).toEqual({ intent: 'ok', text: 'written 12,431' });
    expect(view({ written: 7, refused: 2 })).toEqual({ intent: 'warning', text: 'refused 7 2' });
    expect(view({ refused: 2 }).intent).toBe('trouble');
  });

  it('is grey again when nothing has come for some minutes', () => {
    expect(view({ isNew: false })).toEqual({ intent: 'idle', text: 'quiet' });
  });

  it('shows a backlog, but not the batch that is being written', () => {
    expect(view({ written: 1, queued: 5000 }).intent).toBe('ok');
    expect(view({ written: 1, queued: 5001 })).toEqual({ intent: 'working', text: 'queued 5,001' });
  });

  it('gives the reason while InfluxDB cannot be written to', () => {
    const trouble = { reason: 'connect ECONNREFUSED 127.0.0.1:8086', needsOperator: false };
    expect(view({ trouble, queued: 3 })).toEqual({ intent: 'trouble', text: 'trouble connect ECONNREF…' });
    expect(view({ trouble: { ...trouble, needsOperator: true } }).intent).toBe('misconfigured');
  });

  it('puts a store that takes nothing before everything else', () => {
    const shown = view({ storeProblem: 'the disk is full', trouble: { reason: 'x', needsOperator: false } });
    expect(shown).toEqual({ intent: 'misconfigured', text: 'store the disk is full' });
  });

  it('never hides that points were dropped', () => {
    expect(view({ written: 9, queued: 9000, dropped: 1200 })).toEqual({ intent: 'warning', text: 'dropped 1,200' });
  });

  it('cuts what no status can show', () => {
    expect(view({ storeProblem: 'x'.repeat(500) }).text.length).toBe(25);
  });

  it('tells of points in queues that no server writes', () => {
    expect(view({ written: 3, unowned: 1200 })).toEqual({ intent: 'warning', text: 'unowned 1,200' });
  });
});
