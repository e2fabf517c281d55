import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { digestOf, hasDigest, hmacOf } from '../../../nodes/lib/protocol/digest';
import { judge } from '../../../nodes/lib/protocol/judge';
import { deriveDeviceKey, keyFromSecret } from '../../../nodes/lib/protocol/key';
import { MalformedError } from '../../../nodes/lib/protocol/reader';
import { signMessage } from '../../../nodes/lib/protocol/sign';
import { seededRandom } from '../../support/campaign';
import { KEY, SECRET } from './messages';

test('a signed message is canonical, and verified', () => {
  const message = signMessage({ ts_ns: 920529791, ts: 1759384453, temperature: 20.52, humidity: 60.64 }, KEY);
  expect(message).toBe(
    '{"hmac":"Q8IjBJZdg5W5ZDgQ5HkMoyrJob1byNnK+eO0rg2LpDk=","payload":{"humidity":60.64,"temperature":20.52,"ts":1759384453,"ts_ns":920529791}}',
  );
  expect(judge(SECRET, message).verdict).toBe('verified');
});

test('what JSON cannot hold is not signed', () => {
  expect(() => signMessage({ v: NaN }, KEY)).toThrow(MalformedError);
});

describe('digests', () => {
  test('one written form, and no other', () => {
    const random = seededRandom();
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(Array.from({ length: 32 }, () => Math.floor(random() * 256)));
      expect(digestOf(bytes.toString('base64'))).toEqual(bytes);
    }
  });

  const good = Buffer.alloc(32, 0xfb).toString('base64');
  test.each([
    ['empty', ''],
    ['too short', good.slice(1)],
    ['too long', `A${good}`],
    ['no padding', `${good.slice(0, 43)}A`],
    ['base64url', Buffer.alloc(32, 0xfb).toString('base64url') + '='],
    ['unused bits set', `${good.slice(0, 42)}t=`],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['white space', ` ${good.slice(1)}`],
    ['a line feed', `${good.slice(0, 20)}\n${good.slice(21)}`],
    ['padding within', `${good.slice(0, 20)}=${good.slice(21)}`],
    ['beyond ASCII', `${good.slice(0, 20)}é${good.slice(21)}`],
    ['beyond latin-1', `${good.slice(0, 20)}\u0141${good.slice(21)}`],
  ])('refused: %s', (_, hmac) => {
    expect(good.slice(42)).toBe('s=');
    expect(() => digestOf(hmac)).toThrow(MalformedError);
  });

  test('any changed bit is seen', () => {
    const digest = digestOf(hmacOf('text é', KEY));
    expect(hasDigest('text é', KEY, digest)).toBe(true);
    for (let bit = 0; bit < 256; bit++) {
      const changed = Buffer.from(digest);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(hasDigest('text é', KEY, changed)).toBe(false);
    }
  });
});

describe('secrets', () => {
  test.each([
    ['päss word ', 'text', Buffer.from('päss word ')],
    [' AAECAw==\n', 'base64', Buffer.from([0, 1, 2, 3])],
    ['00fFa0', 'hex', Buffer.from([0, 0xff, 0xa0])],
  ] as const)('%j as %s', (secret, encoding, bytes) => {
    expect(keyFromSecret(secret, encoding)).toEqual(bytes);
  });

  test.each([
    ['', 'text', 'the secret is empty'],
    [' ', 'base64', 'the secret is empty'],
    ['hunter2hunter2!', 'base64', 'the secret is not standard base64 with padding'],
    ['AAECAw', 'base64', 'the secret is not standard base64 with padding'],
    ['AAECA-_=', 'base64', 'the secret is not standard base64 with padding'],
    ['abc', 'hex', 'the secret is not hexadecimal'],
    ['hunter22', 'hex', 'the secret is not hexadecimal'],
  ] as const)('%j as %s: %s', (secret, encoding, reason) => {
    expect(() => keyFromSecret(secret, encoding)).toThrow(new Error(reason));
  });

  test('a device key is HMAC-SHA-256 of the UTF-8 device id under the master', () => {
    expect(deriveDeviceKey(SECRET, 'hall/öfen')).toEqual(
      createHmac('sha256', SECRET).update(Buffer.from('hall/öfen')).digest(),
    );
  });
});
