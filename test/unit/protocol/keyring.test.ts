import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Keyring, type KeyringOptions, type KeysOrMissing } from '../../../nodes/iot-keyring/keyring';
import { EXAMPLE_SECRET, weakDevices, weaknessOf } from '../../../nodes/iot-keyring/weakness';
import { deriveDeviceKey } from '../../../nodes/lib/protocol/key';
import { withoutFinalLineBreak } from '../../../nodes/lib/secret-text';

const SHARED = { mode: 'shared', encoding: 'text', secret: 'new' } as const;
const MASTER = { ...SHARED, mode: 'master' } as const;

/** The keys of an answer as text, derived ones in hexadecimal. */
function keysOf(answer: KeysOrMissing): Record<string, Buffer> {
  if ('missing' in answer) throw new Error(answer.missing);
  const { current, previous } = answer.keys;
  return { current: current.export(), ...(previous && { previous: previous.export() }) };
}

const text = (secret: string) => Buffer.from(secret);
const derived = (secret: string, device: string) => deriveDeviceKey(text(secret), device);

describe('shared', () => {
  test('one key for every device, known or not', () => {
    const keyring = new Keyring(SHARED);
    for (const device of ['a', 'b', undefined])
      expect(keysOf(keyring.keysFor(device))).toEqual({ current: text('new') });
    expect(keyring.keysFor('a')).toBe(keyring.keysFor('b'));
    expect(keyring.keyOf('a')).toBe(text('new').toString('base64'));
  });

  test.each([
    ['base64', 'AAEC', [0, 1, 2]],
    ['hex', '0001ff', [0, 1, 255]],
  ] as const)('written as %s', (encoding, secret, bytes) => {
    expect(keysOf(new Keyring({ mode: 'shared', encoding, secret }).keysFor('a'))).toEqual({
      current: Buffer.from(bytes),
    });
  });
});

describe('master', () => {
  test('a key of its own for each device', () => {
    const keyring = new Keyring(MASTER);
    expect(keysOf(keyring.keysFor('a/1'))).toEqual({ current: derived('new', 'a/1') });
    expect(keysOf(keyring.keysFor('a/2'))).toEqual({ current: derived('new', 'a/2') });
    expect(keyring.keyOf('a/1')).toBe(derived('new', 'a/1').toString('base64'));
  });

  test('no device, no key', () => {
    expect(new Keyring(MASTER).keysFor(undefined)).toEqual({
      missing: expect.stringMatching(/no device is known/) as string,
    });
  });
});

describe('rotation', () => {
  const until = 1000;

  test.each([
    ['shared', { current: text('new'), previous: text('old') }, { current: text('new') }],
    ['master', { current: derived('new', 'a'), previous: derived('old', 'a') }, { current: derived('new', 'a') }],
  ] as const)('%s: the previous secret is good until its moment, and not from it on', (mode, before, after) => {
    let now = 0;
    const keyring = new Keyring({ ...SHARED, mode, previousSecret: 'old', previousUntil: until, now: () => now });
    expect(keysOf(keyring.keysFor('a'))).toEqual(before);
    now = until - 1;
    expect(keysOf(keyring.keysFor('a'))).toEqual(before);
    now = until;
    expect(keysOf(keyring.keysFor('a')), 'also where it was cached').toEqual(after);
    now = 0;
    expect(keysOf(keyring.keysFor('a')), 'a clock that is put back revives nothing').toEqual(after);
  });

  test('without a moment it is good as long as it is there', () => {
    const keyring = new Keyring({ ...SHARED, previousSecret: 'old', now: () => Number.MAX_SAFE_INTEGER });
    expect(keysOf(keyring.keysFor('a'))).toEqual({ current: text('new'), previous: text('old') });
  });

  test('the key to program a device with is the new one', () => {
    const keyring = new Keyring({ ...MASTER, previousSecret: 'old' });
    expect(keyring.keyOf('a')).toBe(derived('new', 'a').toString('base64'));
  });
});

describe('keys of single devices', () => {
  const deviceKeys = new Map([
    ['own', 'its own'],
    ['stolen', null],
  ]);

  test.each(['shared', 'master'] as const)('%s: instead of every other key, the previous one too', (mode) => {
    const keyring = new Keyring({ ...SHARED, mode, previousSecret: 'old', deviceKeys });
    expect(keysOf(keyring.keysFor('own'))).toEqual({ current: text('its own') });
    expect(keyring.keyOf('own')).toBe(text('its own').toString('base64'));
    expect(Object.keys(keysOf(keyring.keysFor('other')))).toEqual(['current', 'previous']);
  });

  test.each(['shared', 'master'] as const)('%s: a revoked device has none', (mode) => {
    const keyring = new Keyring({ ...SHARED, mode, deviceKeys });
    expect(keyring.keysFor('stolen')).toEqual({ missing: 'device "stolen" is revoked' });
    expect(() => keyring.keyOf('stolen')).toThrow('device "stolen" is revoked');
  });

  test('without any other secret', () => {
    const keyring = new Keyring({ mode: 'shared', encoding: 'text', deviceKeys });
    expect(keysOf(keyring.keysFor('own'))).toEqual({ current: text('its own') });
    expect(keyring.keysFor('other')).toEqual({
      missing: expect.stringMatching(/"other" is not in the device-key file/) as string,
    });
    expect(keyring.keysFor(undefined)).toEqual({ missing: expect.stringMatching(/no device is known/) as string });
  });

  test('a topic without a device still has the shared key', () => {
    expect(keysOf(new Keyring({ ...SHARED, deviceKeys }).keysFor(undefined))).toEqual({ current: text('new') });
  });
});

describe('what is kept', () => {
  /** As when a message of the device has fitted its key. */
  function fitted(keyring: Keyring, device: string): KeysOrMissing {
    const answer = keyring.keysFor(device);
    if ('keys' in answer) keyring.keep(device, answer.keys);
    return answer;
  }

  test('the keys of devices whose messages fit, and of no others: anybody can name a device', () => {
    const keyring = new Keyring(MASTER);
    for (let device = 0; device < 1000; device++) keyring.keysFor(`${'x'.repeat(60_000)}${device}`);
    expect(keyring.kept).toBe(0);
    const answer = fitted(keyring, 'a/1');
    expect(keyring.kept).toBe(1);
    const again = keyring.keysFor('a/1');
    expect('keys' in answer && 'keys' in again && again.keys === answer.keys, 'not made again').toBe(true);
  });

  test('at most 16 million characters of device ids, however long they are', () => {
    const keyring = new Keyring(MASTER);
    for (let device = 0; device < 10_000; device++) fitted(keyring, `${'x'.repeat(4000)}${device}`);
    expect(keyring.kept).toBeLessThan(4_200);
    fitted(keyring, 'x'.repeat(60_000));
    expect(keysOf(keyring.keysFor('x'.repeat(60_000)))).toEqual({ current: derived('new', 'x'.repeat(60_000)) });
  });

  test('nothing where all devices share the key', () => {
    const keyring = new Keyring({ ...SHARED, deviceKeys: new Map([['own', 'its own']]) });
    for (let device = 0; device < 100; device++) fitted(keyring, String(device));
    expect(keyring.kept).toBe(0);
  });
});

test('however many devices there are, their keys stay right', () => {
  const keyring = new Keyring(MASTER);
  for (let device = 0; device < 140_000; device++) {
    const answer = keyring.keysFor(String(device));
    if ('keys' in answer) keyring.keep(String(device), answer.keys);
  }
  expect(keysOf(keyring.keysFor('0'))).toEqual({ current: derived('new', '0') });
  expect(keysOf(keyring.keysFor('139999'))).toEqual({ current: derived('new', '139999') });
});

test.each([
  [{ mode: 'masters' }, /neither a master nor shared/],
  [{ encoding: 'latin1' }, /how the secret is written is not known/],
])('what is imported and unknown is a fault: %j', (options, reason) => {
  expect(() => new Keyring({ ...SHARED, ...options } as unknown as KeyringOptions)).toThrow(reason);
});

describe('weak secrets', () => {
  test.each([
    ['a', 'text', 'short'],
    ['fifteen bytes..', 'text', 'short'],
    ['sixteen bytes...', 'text', undefined],
    ['AA==', 'base64', 'short'],
    ['00'.repeat(16), 'hex', undefined],
    [EXAMPLE_SECRET, 'text', 'example'],
    [Buffer.from(EXAMPLE_SECRET).toString('base64'), 'base64', 'example'],
  ] as const)('%s written as %s: %s', (secret, encoding, weakness) => {
    expect(weaknessOf(secret, encoding)).toBe(weakness);
  });

  test('the example secret is the one that the examples have', () => {
    const example = readFileSync(
      join(__dirname, '../../../examples/02 - Verify the signature of messages.json'),
      'utf8',
    );
    expect(example).toContain(`"secret": ${JSON.stringify(EXAMPLE_SECRET)}`);
  });

  test('devices with weak secrets of their own are counted; revoked ones have none', () => {
    expect(weakDevices(['short', null, 'a secret that is long enough', EXAMPLE_SECRET], 'text')).toBe(2);
  });
});

test.each([
  ['secret\n', 'secret'],
  ['secret\r\n', 'secret'],
  ['secret\n\n', 'secret\n'],
  ['sec\nret', 'sec\nret'],
])('one line break at the end of %j is left out', (written, meant) => {
  expect(withoutFinalLineBreak(written)).toBe(meant);
});

describe('faults name the secret and never show it', () => {
  test.each<[string, Partial<KeyringOptions>]>([
    ['there is no secret', { secret: undefined }],
    ['there is no secret', { secret: '' }],
    ['secret: the secret is not standard base64 with padding', { encoding: 'base64', secret: 'hunter2!' }],
    ['secret: the secret is not hexadecimal', { encoding: 'hex', secret: 'hunter2!' }],
    ['previous secret: the secret is not hexadecimal', { encoding: 'hex', secret: '00', previousSecret: 'hunter2!' }],
  ])('%s', (reason, options) => {
    expect(() => new Keyring({ ...SHARED, ...options })).toThrow(new Error(reason));
  });
});
