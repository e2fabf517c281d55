import { describe, expect, test } from 'vitest';
import { MalformedError } from '../../../nodes/lib/protocol/reader';
import { scanMessage, scanPayload, textOfBytes } from '../../../nodes/lib/protocol/scan';
import { seededRandom } from '../../support/campaign';
import { signedAsSent } from './messages';

function reasonOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

const DIGEST = 'mmkCf5ljR7Q6ufg/SRKHvfzvaT2uKyKuga9Jw+9tePA=';

describe('what a message is read into', () => {
  test('payload, its text and its timestamp', () => {
    const text = '{ "v" : [1, {"a": null}], "ts":12,"ts_ns" : 34 }';
    expect(scanMessage(` {"x":{"ts":1.5},"payload" : ${text} , "hmac":"${DIGEST}"}\r\n`)).toEqual({
      digest: Buffer.from(DIGEST, 'base64'),
      payload: { v: [1, { a: null }], ts: 12, ts_ns: 34 },
      text,
      seconds: 12,
      nanoseconds: 34,
    });
  });

  test.each([
    ['{"ts":1.0,"ts_ns":1e3}', undefined, undefined],
    ['{"ts":"1","ts_ns":null}', undefined, undefined],
    ['{"ts":-0,"ts_ns":-1}', 0, -1],
    ['{"\\u0074s":7,"t\\u0073_ns":8}', 7, 8],
    ['{"a":{"ts":7,"ts_ns":8}}', undefined, undefined],
    ['{"ts":[7],"ts_ns":{"ts_ns":8}}', undefined, undefined],
  ])('integers of the timestamp in %s', (text, seconds, nanoseconds) => {
    expect(scanPayload(text)).toMatchObject({ seconds, nanoseconds });
  });

  test('members of any name are own properties', () => {
    const { payload } = scanPayload('{"__proto__":{"polluted":true},"constructor":1,"toString":2,"":3}');
    expect(Object.getPrototypeOf(payload)).toBe(Object.prototype);
    expect(Object.entries(payload)).toEqual([
      ['__proto__', { polluted: true }],
      ['constructor', 1],
      ['toString', 2],
      ['', 3],
    ]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('an escaped slash in the hmac', () => {
    const escaped = DIGEST.replaceAll('/', '\\/');
    expect(escaped).not.toBe(DIGEST);
    expect(scanMessage(`{"hmac":"${escaped}","payload":{}}`).digest).toEqual(Buffer.from(DIGEST, 'base64'));
  });

  test('the same values as JSON.parse, for anything random', () => {
    const random = seededRandom();
    for (let round = 0; round < 3000; round++) {
      const text = randomObject(random, 4);
      expect(scanPayload(text).payload, text).toEqual(withoutNegativeZero(JSON.parse(text)));
    }
  });
});

describe('what is no message', () => {
  test.each([
    ['', 'the message ends too early'],
    ['hello', 'unexpected "h", at character 1'],
    ['\ufeff{}', 'unexpected U+feff, at character 1'],
    ['[]', 'unexpected "[", at character 1'],
    ['{}', 'member "hmac" is missing'],
    ['{"hmac":1}', 'member "hmac" is not a string'],
    [`{"hmac":"${DIGEST}"}`, 'member "payload" is missing'],
    [`{"hmac":"${DIGEST}","payload":[]}`, 'member "payload" is not an object'],
    [`{"hmac":"${DIGEST}","payload":null}`, 'member "payload" is not an object'],
    [`{"hmac":"${DIGEST}","payload":{}} x`, 'something after the end of the message, at character 70'],
    [`{"hmac":"${DIGEST}","payload":{},"payload":{}}`, 'member "payload" twice, at character 79'],
    [`{"hmac":"${DIGEST}","hmac":"","payload":{}}`, 'member "hmac" twice, at character 63'],
  ])('%j: %s', (text, reason) => {
    expect(reasonOf(() => scanMessage(text))).toBe(reason);
  });

  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":1}',
    '{"o":{"é":1,"\\u00e9":1}}',
    '{"o":[{"":1,"":2}]}',
    '{"__proto__":1,"__proto__":2}',
    '{"toString":1,"toString":2}',
    '{"10":1,"10":2}',
  ])('a member twice: %s', (text) => {
    expect(reasonOf(() => scanPayload(text))).toMatch(/ twice/);
    expect(reasonOf(() => scanMessage(`{"beside":${text},"hmac":"${DIGEST}","payload":{}}`))).toMatch(/ twice/);
  });

  test.each([
    'NaN',
    'Infinity',
    '-Infinity',
    '1e400',
    '-1e400',
    '01',
    '-01',
    '00',
    '+1',
    '.5',
    '1.',
    '1.e5',
    '1e',
    '1e+',
    '-',
    '0x10',
    '1_000',
    'tru',
    'True',
    'nul',
    'undefined',
    "'a'",
    '"a',
    '"\t"',
    '"\u0000"',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\u 123"',
    '"\\',
    '"\\u',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[',
    ']',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    '{1:1}',
    '{"a":1 "b":2}',
    '{"a"::1}',
    '1,2',
    '/* */1',
    '1\u00a0',
    '1\u000b',
    '"\ud800"',
    '"\udc00"',
    '"\ud800a"',
    '{"\udfff":1}',
  ])('no JSON: %j', (value) => {
    expect(reasonOf(() => scanPayload(`{"v":${value}}`))).not.toBe('');
    expect(reasonOf(() => scanMessage(`{"hmac":"${DIGEST}","beside":${value},"payload":{}}`))).not.toBe('');
  });

  test.each(['1e-400', '"\\ud800"', '"\u007f"', '"\u2028"'])('but this is JSON: %j', (value) => {
    expect(Object.keys(scanPayload(`{"v":${value}}`).payload)).toEqual(['v']);
  });

  test('long numbers', () => {
    const digits = (count: number) => '1'.repeat(count);
    for (const accepted of [digits(4300), `-${digits(4300)}`, `0.${digits(5000)}`]) {
      expect(() => scanPayload(`{"v":${accepted}}`)).not.toThrow();
    }
    for (const refused of [digits(4301), `-${digits(4301)}`, `${digits(310)}.0`]) {
      expect(reasonOf(() => scanPayload(`{"v":${refused}}`))).toMatch(/more than 4300 digits|too large/);
    }
  });

  test('nesting: 32 levels, of which the payload itself is the first', () => {
    const nested = (levels: number) => `{"v":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(() => scanPayload(nested(32))).not.toThrow();
    expect(() => scanMessage(signedAsSent(nested(32)))).not.toThrow();
    expect(reasonOf(() => scanPayload(nested(33)))).toMatch(/more than 32 levels/);
    expect(reasonOf(() => scanMessage(signedAsSent(nested(33))))).toMatch(/more than 32 levels/);
    const beside = (levels: number) => `{"hmac":"${DIGEST}","payload":{},"x":${nested(levels)}}`;
    expect(() => scanMessage(beside(32))).not.toThrow();
    expect(reasonOf(() => scanMessage(beside(33)))).toMatch(/more than 32 levels/);
    // Many neighbours are not deep.
    expect(() => scanPayload(`{"v":[${'[[]],{"a":{}},'.repeat(100)}0]}`)).not.toThrow();
    for (const bracket of ['[', '{"a":', '[{"a":']) {
      expect(reasonOf(() => scanPayload(`{"v":${bracket.repeat(1_000_000)}`))).toMatch(/more than 32 levels/);
    }
  });
});

describe('the text of bytes', () => {
  test.each(['plain', 'é', '中文', '😀', '\ufeff', '\u0000'])('%j', (text) => {
    expect(textOfBytes(Buffer.from(text))).toBe(text);
  });

  test.each([[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]])(
    'not UTF-8: %j',
    (...bytes) => {
      expect(reasonOf(() => textOfBytes(Buffer.from([0x22, ...bytes, 0x22])))).toBe('the message is not UTF-8');
    },
  );
});

function randomObject(random: () => number, depth: number): string {
  const names = new Set(Array.from({ length: Math.floor(random() * 6) }, () => randomString(random)));
  const byName = new Map([...names].map((name) => [JSON.parse(name) as string, name]));
  const members = [...byName.values()].map(
    (name) => `${name}${space(random)}:${space(random)}${randomValue(random, depth - 1)}`,
  );
  return `{${space(random)}${members.join(`,${space(random)}`)}}`;
}

function randomValue(random: () => number, depth: number): string {
  const kind = Math.floor(random() * (depth > 0 ? 8 : 6));
  if (kind < 3) return randomNumber(random);
  if (kind < 5) return randomString(random);
  if (kind === 5) return ['true', 'false', 'null'][Math.floor(random() * 3)] ?? 'null';
  if (kind === 6) return randomObject(random, depth);
  return `[${Array.from({ length: Math.floor(random() * 4) }, () => randomValue(random, depth - 1)).join(space(random) + ',')}]`;
}

function randomNumber(random: () => number): string {
  const digits = () => String(Math.floor(random() * 10 ** Math.floor(random() * 16)));
  const sign = random() < 0.3 ? '-' : '';
  const fraction = random() < 0.6 ? `.${'0'.repeat(random() * 5)}${digits()}` : '';
  const exponent =
    random() < 0.3
      ? `${random() < 0.5 ? 'e' : 'E'}${['', '+', '-'][Math.floor(random() * 3)] ?? ''}${Math.floor(random() * 280)}`
      : '';
  return `${sign}${digits()}${fraction}${exponent}`;
}

function randomString(random: () => number): string {
  const pieces = [
    'a',
    'b',
    'ts',
    'é',
    '中',
    '😀',
    '\\n',
    '\\"',
    '\\\\',
    '\\/',
    '\\u00E9',
    '\\ud83d\\ude00',
    '\\ud800',
    ' ',
    '\u007f',
    '\u2028',
    '__proto__',
  ];
  const length = Math.floor(random() * 5);
  return `"${Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)] ?? '').join('')}"`;
}

function space(random: () => number): string {
  return ['', '', '', ' ', '\n', '\t', '\r\n'][Math.floor(random() * 7)] ?? '';
}

/** Python reads the integer -0 as 0, JSON.parse as -0. */
function withoutNegativeZero(value: unknown): unknown {
  if (Object.is(value, -0)) return expect.closeTo(0, 10);
  if (Array.isArray(value)) return value.map(withoutNegativeZero);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutNegativeZero(member)]));
}
