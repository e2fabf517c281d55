import { describe, expect, it } from 'vitest';
import { keepTotals, totalsSinceStart } from '../../../nodes/influx-server/carried-totals';
import { newTotals, type QueueTotals } from '../../../nodes/lib/store/totals';

const totals = (some: Partial<QueueTotals>): QueueTotals => ({ ...newTotals(), ...some });
const balance = ({ accepted, recovered, written, refused, dropped, damaged, queuedPoints }: QueueTotals): number =>
  accepted + recovered - written - refused - dropped - damaged - queuedPoints;

describe('totals over redeploys', () => {
  it('are unknown until the queue has been open', () => {
    expect(totalsSinceStart('never open', undefined)).toBeUndefined();
  });

  it('go on where they were, and what lay in the queue is recovered once', () => {
    keepTotals('a', totals({ recovered: 5, accepted: 10, written: 8, queuedPoints: 7 }));
    const open = totals({ recovered: 7, accepted: 3, written: 4, queuedPoints: 6 });
    const sum = totalsSinceStart('a', open);
    expect(sum).toMatchObject({ recovered: 5, accepted: 13, written: 12, queuedPoints: 6 });
    expect(sum && balance(sum)).toBe(0);
  });

  it('stay what they were while the queue is closed', () => {
    keepTotals('b', totals({ accepted: 10, written: 8, queuedPoints: 2, queuedBytes: 140 }));
    expect(totalsSinceStart('b', undefined)).toMatchObject({ accepted: 10, written: 8, queuedPoints: 2 });
  });
});
