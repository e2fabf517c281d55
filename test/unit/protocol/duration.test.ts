import { expect, test } from 'vitest';
import { durationText } from '../../../nodes/hmac-verify/duration';

test.each([
  [0, '0 ms'],
  [1, '1 ms'],
  [999.5, '999 ms'],
  [1200, '1 s 200 ms'],
  [60_000, '1 min'],
  [3_599_999, '59 min 59 s'],
  [3_600_001, '1 h'],
  [97_200_000, '1 d 3 h'],
  [31_536_000_000, '365 d'],
])('%d: %s', (milliseconds, text) => {
  expect(durationText(milliseconds)).toBe(text);
});
