import { describe, expect, it } from 'vitest';
import { Pace } from '../../../nodes/lib/runtime/pace';
import { until } from '../../support/until';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

function paceOf(handled: number[], sizeOf = () => 0): Pace<number> {
  return new Pace<number>((item) => handled.push(item), sizeOf);
}

describe('the pace of a node', () => {
  it('handles few items at once', () => {
    const handled: number[] = [];
    const pace = paceOf(handled);
    for (const item of numbers(256)) pace.take(item);
    expect(handled).toEqual(numbers(256));
    pace.flush();
  });

  it('spreads many items over turns of the event loop, in their order', async () => {
    const handled: number[] = [];
    const pace = paceOf(handled);
    for (const item of numbers(1000)) pace.take(item);
    expect(handled).toHaveLength(256);
    await nextTurn();
    expect(handled).toHaveLength(512);
    // What comes while others wait comes after them.
    pace.take(1000);
    await until('all items are handled', () => handled.length === 1001);
    expect(handled).toEqual(numbers(1001));
  });

  it('handles items at once again when none waits any more', async () => {
    const handled: number[] = [];
    const pace = paceOf(handled);
    for (const item of numbers(300)) pace.take(item);
    await until('all items are handled', () => handled.length === 300);
    await nextTurn();
    for (const item of numbers(256)) pace.take(item);
    expect(handled).toHaveLength(556);
    pace.flush();
  });

  it('lets at most 16,384 items wait: beyond that the oldest are handled at once, in their order', async () => {
    const handled: number[] = [];
    const pace = paceOf(handled);
    for (const item of numbers(100_000)) pace.take(item);
    expect(handled).toHaveLength(100_000 - 16_384);
    await until('all items are handled', () => handled.length === 100_000);
    expect(handled).toEqual(numbers(100_000));
  });

  it('lets at most 8 MiB wait', () => {
    const handled: number[] = [];
    const pace = paceOf(handled, () => 1024 * 1024);
    for (const item of numbers(1000)) pace.take(item);
    expect(handled).toHaveLength(992);
    pace.flush();
    expect(handled).toEqual(numbers(1000));
  });

  it('keeps nothing back, and nothing running, once it is flushed', async () => {
    const handled: number[] = [];
    const pace = paceOf(handled);
    for (const item of numbers(5000)) pace.take(item);
    pace.flush();
    expect(handled).toEqual(numbers(5000));
    await nextTurn();
    expect(handled).toHaveLength(5000);
  });
});
