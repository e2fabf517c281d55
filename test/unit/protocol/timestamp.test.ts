import { expect, test } from 'vitest';
import { scanPayload } from '../../../nodes/lib/protocol/scan';
import { signedTime } from '../../../nodes/lib/protocol/timestamp';

test.each([
  ['{"ts":1759384453,"ts_ns":920529791}', 1_759_384_453_920],
  ['{"ts":0,"ts_ns":0}', 0],
  ['{"ts":-0,"ts_ns":-0}', 0],
  ['{"ts":1,"ts_ns":999999999}', 1999],
  ['{"ts":9223372036,"ts_ns":854775806}', 9_223_372_036_854],
])('%s', (text, at) => {
  expect(signedTime(scanPayload(text))).toEqual({ at });
});

test.each([
  ['{"ts_ns":1}', 'payload.ts is missing'],
  ['{"ts":1}', 'payload.ts_ns is missing'],
  ['{"ts":1.0,"ts_ns":1}', 'payload.ts is not an integer'],
  ['{"ts":1e3,"ts_ns":1}', 'payload.ts is not an integer'],
  ['{"ts":"1","ts_ns":1}', 'payload.ts is not an integer'],
  ['{"ts":1,"ts_ns":true}', 'payload.ts_ns is not an integer'],
  ['{"ts":1,"ts_ns":null}', 'payload.ts_ns is not an integer'],
  ['{"ts":-1,"ts_ns":0}', 'payload.ts is before 1970'],
  ['{"ts":1,"ts_ns":-1}', 'payload.ts_ns is not within 0 to 999999999'],
  ['{"ts":1,"ts_ns":1000000000}', 'payload.ts_ns is not within 0 to 999999999'],
  ['{"ts":9223372037,"ts_ns":0}', /^payload\.ts is beyond 9223372036/],
  ['{"ts":9223372036,"ts_ns":854775807}', /^payload\.ts is beyond 9223372036/],
  // Milliseconds where seconds belong.
  ['{"ts":1759384453920,"ts_ns":0}', /it counts seconds$/],
  [`{"ts":${'9'.repeat(400)},"ts_ns":0}`, /^payload\.ts is beyond 9223372036/],
])('%s: %s', (text, reason) => {
  const time = signedTime(scanPayload(text));
  expect('reason' in time && time.reason).toMatch(reason);
});
