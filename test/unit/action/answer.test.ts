import { expect, test } from 'vitest';
import { refusalIn } from '../../../nodes/lib/action/answer';
import { Remembered } from '../../../nodes/lib/action/remembered';

test.each<[Record<string, unknown>, string | undefined]>([
  [{ id: 'a' }, undefined],
  [{ id: 'a', ok: true, reason: 'fine' }, undefined],
  [{ id: 'a', ok: 0 }, undefined],
  [{ id: 'a', ok: false }, 'the device says so, without a reason'],
  [{ id: 'a', ok: false, reason: 5 }, 'the device says so, without a reason'],
  [{ id: 'a', ok: false, reason: ' jammed\r\n at\u2028 40 % ' }, 'the device says: jammed  at  40 %'],
  [{ id: 'a', ok: false, reason: 'x'.repeat(60_000) }, `the device says: ${'x'.repeat(199)}…`],
])('the answer %j is refused as %j', (answer, refusal) => {
  expect(refusalIn(answer)).toBe(refusal);
});

test('what is remembered is bounded in number and in bytes', () => {
  const remembered = new Remembered<string>(3, 10, ({ length }) => length);
  for (const name of ['a', 'b', 'c', 'd']) remembered.add(name, 'x');
  expect(['a', 'b', 'c', 'd'].map((name) => remembered.has(name))).toEqual([false, true, true, true]);
  remembered.add('e', 'x'.repeat(9));
  expect(['c', 'd', 'e'].map((name) => remembered.has(name))).toEqual([false, true, true]);
  remembered.add('d', 'xx');
  expect([remembered.get('d'), remembered.get('e')]).toEqual(['xx', undefined]);
  remembered.delete('d');
  remembered.add('f', 'x'.repeat(10));
  expect(remembered.has('f')).toBe(true);
  remembered.add('g', 'x'.repeat(11));
  expect([remembered.has('f'), remembered.has('g')]).toEqual([false, false]);
});
