import { describe, expect, test } from 'vitest';
import { type RegistryView, type Verdict, Verifier } from '../../../nodes/hmac-verify/verify';
import { Keyring, type KeyringOptions } from '../../../nodes/iot-keyring/keyring';
import { deriveDeviceKey, messageKey } from '../../../nodes/lib/protocol/key';
import { signMessage } from '../../../nodes/lib/protocol/sign';
import { seededRandom } from '../../support/campaign';
import { signedAsSent } from './messages';

const NOW = 1_760_000_000_000;
const MINUTE = 60_000;
const TS = NOW / 1000;
const SECRET = 'an example secret';
const TOPIC = 'sensors/hall/d1';

/** Like the registry of a site: the two levels after the first are the device, an hour in the past is accepted. */
const registry: RegistryView = {
  match(topic) {
    const [kind, site, name] = topic.split('/');
    if (kind !== 'sensors') return undefined;
    return { device: `${site ?? ''}/${name ?? ''}`, window: { past: 60 * MINUTE, future: MINUTE } };
  },
};

interface Setup {
  keyring?: Partial<KeyringOptions>;
  registry?: RegistryView | undefined;
  now?: () => number;
  maxBytes?: number;
}

function verifier(setup: Setup = {}): Verifier {
  const now = setup.now ?? (() => NOW);
  const keyring = new Keyring({ mode: 'shared', encoding: 'text', secret: SECRET, now, ...setup.keyring });
  const view = 'registry' in setup ? setup.registry : registry;
  return new Verifier({ registry: () => view, keyring, maxBytes: setup.maxBytes ?? 65_536, now });
}

function key(secret = SECRET, device?: string) {
  const bytes = Buffer.from(secret);
  return messageKey(device === undefined ? bytes : deriveDeviceKey(bytes, device));
}

const message = (payload: object = {}, by = key()) =>
  Buffer.from(signMessage({ v: 20.5, ts: TS, ts_ns: 0, ...payload }, by));
const codeOf = (verdict: Verdict) => (verdict.ok ? 'ok' : verdict.code);
const reasonOf = (verdict: Verdict) => (verdict.ok ? 'ok' : verdict.reason);

describe('verified', () => {
  test('in canonical text', () => {
    expect(verifier().verify(message(), TOPIC)).toEqual({
      ok: true,
      payload: { v: 20.5, ts: TS, ts_ns: 0 },
      verified: {
        device: 'hall/d1',
        key: 'current',
        form: 'as-sent',
        at: NOW,
        text: `{"ts":${TS},"ts_ns":0,"v":20.5}`,
      },
    });
  });

  test('signed in canonical text, but sent otherwise', () => {
    const canonical = `{"big":12345678901234567890,"n":"\\u00e9","ts":${TS},"ts_ns":999999999,"v":20.0}`;
    const { hmac } = JSON.parse(signedAsSent(canonical, key())) as { hmac: string };
    const sent = `{"hmac": "${hmac}", "payload": {"v": 20.00, "n": "é", "big": 12345678901234567890, "ts": ${TS}, "ts_ns": 999999999}}`;
    for (const received of [sent, Buffer.from(sent)]) {
      expect(verifier().verify(received, TOPIC)).toMatchObject({
        payload: { v: 20, n: 'é' },
        verified: { form: 'canonical', text: canonical, at: NOW + 999 },
      });
    }
  });

  test('signed as sent by a device that cannot canonicalise', () => {
    const text = `{"v": 20.50, "n": "é", "ts": ${TS}, "ts_ns": 0 }`;
    expect(verifier().verify(Buffer.from(signedAsSent(text, key())), TOPIC)).toMatchObject({
      verified: { form: 'as-sent', text },
    });
  });

  test('members beside the payload are not authenticated, and not passed on', () => {
    const sent = message().toString().replace(/}$/, ',"evil":true}');
    expect(verifier().verify(sent, TOPIC)).toMatchObject({ ok: true, payload: { v: 20.5, ts: TS, ts_ns: 0 } });
  });
});

describe('the topic', () => {
  const elsewhere = 'sensors/hall/d2';

  test('with a master secret, a message is good on the topic of its device only', () => {
    const it = verifier({ keyring: { mode: 'master' } });
    const sent = message({}, key(SECRET, 'hall/d1'));
    expect(it.verify(sent, TOPIC)).toMatchObject({ ok: true, verified: { device: 'hall/d1' } });
    expect(codeOf(it.verify(sent, elsewhere))).toBe('bad-signature');
    expect(reasonOf(it.verify(sent, elsewhere))).toMatch(/under the key of device "hall\/d2"$/);
  });

  test.each([
    ['that the registry does not know', registry],
    ['without a registry', undefined],
  ])('%s: a shared key verifies, whatever its age; a master secret cannot', (_, view) => {
    const shared = verifier({ registry: view });
    expect(shared.verify(message({ ts: 0 }), 'other/topic')).toMatchObject({
      ok: true,
      verified: { device: undefined },
    });
    expect(codeOf(shared.verify(message({ ts: TS + 60 }), 'other/topic'))).toBe('ok');
    expect(codeOf(shared.verify(message({ ts: TS + 61 }), 'other/topic'))).toBe('future');
    const master = verifier({ registry: view, keyring: { mode: 'master' } });
    expect(master.verify(message(), 'other/topic')).toEqual({
      ok: false,
      code: 'no-key',
      reason: 'no device is known for this topic, and the master secret gives a key only to a device',
    });
  });
});

describe('keys', () => {
  test('rotation: who still uses the previous one is told, until it ends', () => {
    let now = NOW;
    const it = verifier({ keyring: { previousSecret: 'old', previousUntil: NOW + 1000 }, now: () => now });
    expect(it.verify(message(), TOPIC)).toMatchObject({ verified: { key: 'current', form: 'as-sent' } });
    expect(it.verify(message({}, key('old')), TOPIC)).toMatchObject({ verified: { key: 'previous', form: 'as-sent' } });
    const spaced = message({}, key('old')).toString().replace('"v":20.5', '"v": 20.50');
    expect(it.verify(spaced, TOPIC)).toMatchObject({ verified: { key: 'previous', form: 'canonical' } });
    expect(reasonOf(it.verify(message({}, key('other')), TOPIC))).toMatch(
      /under the current or the previous key of device/,
    );
    now = NOW + 1000;
    expect(codeOf(it.verify(message({}, key('old')), TOPIC)), 'a copy of an old message').toBe('bad-signature');
    expect(codeOf(it.verify(message(), TOPIC))).toBe('ok');
  });

  test('revocation: also messages from before it are worth nothing any more', () => {
    const sent = message();
    expect(codeOf(verifier().verify(sent, TOPIC))).toBe('ok');
    const revoked = verifier({ keyring: { deviceKeys: new Map([['hall/d1', null]]) } });
    expect(revoked.verify(sent, TOPIC)).toEqual({ ok: false, code: 'no-key', reason: 'device "hall/d1" is revoked' });
    expect(codeOf(revoked.verify(sent, 'sensors/hall/d2'))).toBe('ok');
  });

  test('a device with a key of its own has no other', () => {
    const it = verifier({ keyring: { deviceKeys: new Map([['hall/d1', 'own']]), previousSecret: 'old' } });
    expect(codeOf(it.verify(message({}, key('own')), TOPIC))).toBe('ok');
    for (const secret of [SECRET, 'old'])
      expect(codeOf(it.verify(message({}, key(secret)), TOPIC))).toBe('bad-signature');
    expect(codeOf(it.verify(message({}, key('own')), 'sensors/hall/d2'))).toBe('bad-signature');
  });

  test('no reason holds a secret', () => {
    const it = verifier({ keyring: { previousSecret: 'hunter2', deviceKeys: new Map([['hall/d1', 'hunter3']]) } });
    for (const received of [message({}, key('x')), 'x', '', {}, { hmac: 'x', payload: {} }]) {
      expect(reasonOf(it.verify(received, TOPIC))).not.toMatch(/hunter|an example secret/);
    }
  });
});

describe('time', () => {
  test('a message sent again gets the same verdict until its window is over', () => {
    let now = NOW;
    const it = verifier({ now: () => now });
    const sent = message();
    const first = it.verify(sent, TOPIC);
    expect(it.verify(sent, TOPIC)).toEqual(first);
    now = NOW + 60 * MINUTE;
    expect(it.verify(sent, TOPIC)).toEqual(first);
    now++;
    expect(it.verify(sent, TOPIC)).toEqual({
      ok: false,
      code: 'stale',
      reason: 'signed 1 h ago (2025-10-09T08:53:20.000Z); this topic accepts 1 h',
    });
    now = NOW - MINUTE;
    expect(it.verify(sent, TOPIC)).toEqual(first);
    now = NOW - MINUTE - 1;
    expect(it.verify(sent, TOPIC)).toMatchObject({
      code: 'future',
      reason: expect.stringMatching(/^signed 1 min 0?.*ahead of this machine's clock .* accepts 1 min$/) as string,
    });
  });

  test('the signature is judged first', () => {
    expect(codeOf(verifier().verify(message({ ts: 'x' }), TOPIC))).toBe('bad-timestamp');
    expect(codeOf(verifier().verify(message({ ts: 'x' }, key('other')), TOPIC))).toBe('bad-signature');
    expect(codeOf(verifier().verify(message({ ts: 0 }, key('other')), TOPIC))).toBe('bad-signature');
  });

  test('what is no message is judged before anything else', () => {
    const master = verifier({ keyring: { mode: 'master' }, registry: undefined });
    expect(codeOf(master.verify('{}', TOPIC))).toBe('malformed');
    expect(codeOf(master.verify('{"hmac":"AAAA","payload":{}}', TOPIC))).toBe('malformed');
  });
});

describe('size', () => {
  test.each(['v', 'é', '😀'])('counted in bytes: %s', (character) => {
    const sent = signedAsSent(`{"n":"${character.repeat(50)}","ts":${TS},"ts_ns":0}`, key());
    const bytes = Buffer.byteLength(sent);
    for (const received of [sent, Buffer.from(sent)]) {
      expect(codeOf(verifier({ maxBytes: bytes }).verify(received, TOPIC))).toBe('ok');
      expect(verifier({ maxBytes: bytes - 1 }).verify(received, TOPIC)).toEqual({
        ok: false,
        code: 'too-large',
        reason: `${bytes} bytes; at most ${bytes - 1} are accepted`,
      });
    }
  });

  test('10 MB', () => {
    const bytes = Buffer.alloc(10_000_000, '[');
    for (const received of [bytes, bytes.toString(), { hmac: 'x', payload: { n: bytes.toString() } }]) {
      expect(['too-large', 'malformed']).toContain(codeOf(verifier().verify(received, TOPIC)));
    }
    expect(codeOf(verifier({ maxBytes: 20_000_000 }).verify(bytes, TOPIC))).toBe('malformed');
  });
});

describe('a parsed object, as "mqtt in" hands over by default', () => {
  const parsed = (text: string) => JSON.parse(signedAsSent(text, key())) as { hmac: string; payload: object };

  test.each([
    ['canonical', `{"a":1,"b":{"c":[20.5,"\\u00e9",1e-07]},"ts":${TS},"ts_ns":0}`],
    ['canonical', `{"n":1e+16,"ts":${TS},"ts_ns":0}`],
    ['as-sent', `{"ts":${TS},"ts_ns":0,"b":"é","a":1e-7}`],
  ])('%s: %s', (form, text) => {
    const received = parsed(text);
    const verdict = verifier().verify(received, TOPIC);
    expect(verdict).toMatchObject({ ok: true, payload: received.payload, verified: { form, text, at: NOW } });
    expect(verdict.ok && verdict.payload, 'a flow may change it').not.toBe(received.payload);
  });

  test('where the form of a number was lost, the reason says how to set the flow', () => {
    const text = `{"ts":${TS},"ts_ns":0,"v":20.0}`;
    const verdict = verifier().verify(parsed(text), TOPIC);
    expect(codeOf(verdict)).toBe('bad-signature');
    expect(reasonOf(verdict)).toMatch(/parsed object.*set the output of the "mqtt in" node to "a Buffer"$/);
    expect(codeOf(verifier().verify(signedAsSent(text, key()), TOPIC))).toBe('ok');
  });

  test('of a changed one nothing verifies', () => {
    const received = parsed(`{"ts":${TS},"ts_ns":0,"v":1}`);
    expect(codeOf(verifier().verify({ ...received, payload: { ...received.payload, v: 2 } }, TOPIC))).toBe(
      'bad-signature',
    );
  });

  test('its size is that of its canonical text', () => {
    const received = parsed(`{"n":"${'x'.repeat(100)}","ts":${TS},"ts_ns":0}`);
    expect(codeOf(verifier({ maxBytes: 100 }).verify(received, TOPIC))).toBe('too-large');
  });

  const digest = Buffer.alloc(32).toString('base64');
  const cycle: Record<string, unknown> = { ts: TS, ts_ns: 0 };
  cycle['cycle'] = cycle;
  test.each<[string, unknown]>([
    ['empty', {}],
    ['no hmac', { payload: {} }],
    ['hmac no string', { hmac: 1, payload: {} }],
    ['hmac none', { hmac: 'AAAA', payload: {} }],
    ['no payload', { hmac: digest }],
    ['payload null', { hmac: digest, payload: null }],
    ['payload an array', { hmac: digest, payload: [] }],
    ['a cycle', { hmac: digest, payload: cycle }],
    ['no JSON value', { hmac: digest, payload: { f: () => 1 } }],
    ['not finite', { hmac: digest, payload: { n: Infinity } }],
  ])('malformed: %s', (_, received) => {
    expect(codeOf(verifier().verify(received, TOPIC))).toBe('malformed');
  });

  test('a bigint, which no parser makes', () => {
    expect(codeOf(verifier().verify({ hmac: digest, payload: { n: 1n } }, TOPIC))).toBe('bad-signature');
  });
});

describe('anything else is malformed, never an exception', () => {
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a number', 1],
    ['a boolean', true],
    ['an array', []],
    ['a typed array', new Uint8Array(3)],
    ['a function', () => 1],
    ['empty', ''],
    ['an empty Buffer', Buffer.alloc(0)],
    ['text', 'hello'],
    ['a byte order mark', `\ufeff${message().toString()}`],
    ['a byte order mark in bytes', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), message()])],
    ['UTF-16', Buffer.from(message().toString(), 'utf16le')],
    ['half a surrogate pair', message({ n: 'x' }).toString().replace('"x"', '"\ud800"')],
    [
      'half a surrogate pair in UTF-8',
      Buffer.concat([Buffer.from('{"n":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['base64', message().toString('base64')],
  ])('%s', (_, received) => {
    const verdict = verifier().verify(received, TOPIC);
    expect(codeOf(verdict)).toBe('malformed');
    expect(reasonOf(verdict)).not.toBe('');
  });

  test('a good message cut off anywhere', () => {
    const whole = message({ n: 'é😀\u007f"\\', list: [1, -2.5e-7, true, null, { a: {} }] });
    for (let length = 0; length < whole.length; length++) {
      for (const received of [whole.subarray(0, length), whole.subarray(length + 1)]) {
        expect(codeOf(verifier().verify(received, TOPIC)), `${length}`).toBe('malformed');
        expect(codeOf(verifier().verify(received.toString(), TOPIC)), `${length}`).toBe('malformed');
      }
    }
  });

  test('a good message with any one byte changed never verifies', () => {
    const whole = message({ n: 'é😀', list: [1, -2.5e-7, true] });
    const random = seededRandom();
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (whole[at] ?? 0) ^ (1 + Math.floor(random() * 255));
      expect(['malformed', 'bad-signature']).toContain(codeOf(verifier().verify(changed, TOPIC)));
    }
  });

  test('random bytes, and random pieces of JSON', () => {
    const random = seededRandom();
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '\\u',
      '"hmac"',
      '"payload"',
      '1',
      '-',
      '.',
      'e',
      'true',
      ' ',
      'é',
      '\u0000',
    ];
    for (let round = 0; round < 5000; round++) {
      const length = Math.floor(random() * 200);
      const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
      const text = Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)] ?? '').join('');
      for (const received of [bytes, bytes.toString('latin1'), text]) {
        expect(codeOf(verifier().verify(received, TOPIC))).toBe('malformed');
      }
    }
  });
});

test('what is wrong with the keys themselves is not a verdict', () => {
  const broken = new Verifier({
    registry: () => undefined,
    keyring: {
      keysFor() {
        throw new Error('no keyring');
      },
    },
    maxBytes: 1000,
  });
  expect(() => broken.verify(message(), TOPIC)).toThrow('no keyring');
});

describe('what a stranger sends', () => {
  const forger = key('not the secret');

  test('fills no cache, and is quoted in short', () => {
    const keyring = new Keyring({ mode: 'master', encoding: 'text', secret: SECRET });
    const judge = new Verifier({ registry: () => registry, keyring, maxBytes: 65_536, now: () => NOW });
    for (let index = 0; index < 500; index += 1) {
      const verdict = judge.verify(message({}, forger), `sensors/hall/${'x'.repeat(60_000)}${index}`);
      expect(codeOf(verdict)).toBe('bad-signature');
      expect(reasonOf(verdict).length).toBeLessThan(300);
    }
    expect(keyring.kept).toBe(0);
    expect(codeOf(judge.verify(message({}, key(SECRET, 'hall/d1')), TOPIC))).toBe('ok');
    expect(keyring.kept, 'the device that has signed').toBe(1);
  });

  test('as an object that was parsed already: judged by its length before it is written down again', () => {
    let asked = 0;
    const payload: Record<string, unknown> = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, index) => [`m${index}`, { x: 'y'.repeat(100) }]),
    );
    Object.defineProperty(payload, 'last', {
      enumerable: true,
      get() {
        asked += 1;
        return 1;
      },
    });
    const received = { hmac: `${'A'.repeat(43)}=`, payload };
    expect(codeOf(verifier().verify(received, TOPIC))).toBe('too-large');
    expect(asked, 'looked at once, and not written down').toBeLessThanOrEqual(1);
  });
});
