import { expect, test } from 'vitest';
import { Recent, RECENT } from '../../../nodes/lib/runtime/recent';

test('what happened before the last minutes does not count', () => {
  const totals = { passed: 1000, rejected: 7 };
  const recent = new Recent({ ...totals }, 0);
  expect(recent.growth({ ...totals }, 1)).toEqual({ passed: 0, rejected: 0 });
  for (let now = 10_000; now < 2 * RECENT; now += 10_000) {
    totals.passed += 10;
    if (now === 20_000) totals.rejected += 1;
    const grown = recent.growth({ ...totals }, now);
    expect(grown.passed).toBe(Math.min(now, RECENT) / 1000);
    expect(grown.rejected).toBe(now >= 20_000 && now < 20_000 + RECENT ? 1 : 0);
  }
});

test('numbers that begin again do not count backwards', () => {
  expect(new Recent({ written: 10 }, 0).growth({ written: 2 }, 1)).toEqual({ written: 0 });
});
