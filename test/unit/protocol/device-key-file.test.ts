import { expect, test } from 'vitest';
import { parseDeviceKeyFile } from '../../../nodes/iot-keyring/keyring';

test('ids and secrets as they are written', () => {
  const file = [
    '# keys of the hall',
    'hall/d1: hunter2',
    '"hall/d2": "with: colon # and hash"',
    '0012: 0034',
    'd3: 1e5',
    'd4: true',
    'd5: null',
    'd6: ~',
    'd7:',
    'd8: "null"',
    "d9: ''''",
  ].join('\n');
  expect([...parseDeviceKeyFile(file, 'text')]).toEqual([
    ['hall/d1', 'hunter2'],
    ['hall/d2', 'with: colon # and hash'],
    ['0012', '0034'],
    ['d3', '1e5'],
    ['d4', 'true'],
    ['d5', null],
    ['d6', null],
    ['d7', null],
    ['d8', 'null'],
    ['d9', "'"],
  ]);
});

test('JSON is YAML', () => {
  expect([...parseDeviceKeyFile('{"a": "AAEC", "b": null}', 'base64')]).toEqual([
    ['a', 'AAEC'],
    ['b', null],
  ]);
});

test.each(['{}', '# nobody yet\n{}\n'])('no devices: %j', (file) => {
  expect(parseDeviceKeyFile(file, 'text').size).toBe(0);
});

test.each(['', '\n', '# hall/d2: null\n'])(
  'a file without content, as one is that was cut off, revokes nobody and is a fault: %j',
  (file) => {
    expect(() => parseDeviceKeyFile(file, 'text')).toThrow('it is empty: {} says that no device has a key of its own');
  },
);

test('plain lines are read without a YAML parser, and mean the same', () => {
  const lines = ['# all', 'hall/d1: aGVsbG8=', 'd2: null # stolen', 'd3:   ~', '_d4: x', '', '0012: 0x10', 'd.5: Null'];
  const quotedToo = [...lines, '"d6": "y"'];
  const expected = [
    ['hall/d1', 'aGVsbG8='],
    ['d2', null],
    ['d3', null],
    ['_d4', 'x'],
    ['0012', '0x10'],
    ['d.5', null],
  ];
  expect([...parseDeviceKeyFile(quotedToo.join('\n'), 'text')]).toEqual([...expected, ['d6', 'y']]);
  const plain = lines.filter((line) => !line.includes('~'));
  expect([...parseDeviceKeyFile(plain.join('\r\n'), 'text')]).toEqual(expected.filter(([id]) => id !== 'd3'));
});

test('a hundred thousand devices, and one of them twice', () => {
  const lines = Array.from({ length: 100_000 }, (_, index) => `site/d${index}: secret-of-${index}`);
  expect(parseDeviceKeyFile(lines.join('\n'), 'text').size).toBe(100_000);
  expect(() => parseDeviceKeyFile([...lines, 'site/d7: x'].join('\n'), 'text')).toThrow(
    'line 100001: the device is there twice',
  );
  expect(() => parseDeviceKeyFile([...lines, '"quoted": x'].join('\n'), 'text')).toThrow(/without quotes/);
});

test.each([
  ['hunter2', 'line 1: a map of device ids to secrets is expected'],
  ['- hunter2', 'line 1: a map of device ids to secrets is expected'],
  ['a: x\nb: hunter2\nb: hunter2', 'line 3: the device is there twice'],
  ['a: x\nb: hunter2: hunter2', 'line 2: not valid YAML (BLOCK_AS_IMPLICIT_KEY)'],
  ['a: x\nb: "hunter2', 'line 2: not valid YAML (MISSING_CHAR)'],
  ['a: x\n---\nb: hunter2', 'line 2: not valid YAML (MULTIPLE_DOCS)'],
  ['a: [hunter2]', 'line 1: the secret is not a plain text'],
  ['a: x\nb:\n  hunter2: hunter2', 'line 2: the secret is not a plain text'],
  ['a: &hunter2 x\nb: *hunter2', 'line 2: the secret is not a plain text'],
  ['a: !hunter2 x', 'line 1: the secret is not a plain text'],
  ['a: x\n"": hunter2', 'line 2: the device id is empty'],
  ['a: x\nb: ""', 'line 2: the secret is empty'],
  ['? [hunter2]\n: x', 'a device id is not a plain text'],
])('%j: %s', (file, reason) => {
  expect(() => parseDeviceKeyFile(file, 'text')).toThrow(new Error(reason));
});

test.each([
  ['base64', 'line 2: the secret is not standard base64 with padding'],
  ['hex', 'line 2: the secret is not hexadecimal'],
] as const)('a secret that is not %s', (encoding, reason) => {
  expect(() => parseDeviceKeyFile('a: "00000000"\nb: hunter2!', encoding)).toThrow(new Error(reason));
});
