import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { canonicalText, canonicalTextOf } from '../../../nodes/lib/protocol/canonical';
import { MalformedError } from '../../../nodes/lib/protocol/reader';

describe('numbers as Python writes them', () => {
  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['0.0', '0.0'],
    ['-0.0', '-0.0'],
    ['0.00', '0.0'],
    ['0e5', '0.0'],
    ['-0e-5', '-0.0'],
    ['20', '20'],
    ['20.0', '20.0'],
    ['20.50', '20.5'],
    ['20.05', '20.05'],
    ['100.00', '100.0'],
    ['1e2', '100.0'],
    ['1E+2', '100.0'],
    ['1e15', '1000000000000000.0'],
    ['1e16', '1e+16'],
    ['1e20', '1e+20'],
    ['1e21', '1e+21'],
    ['1.5e300', '1.5e+300'],
    ['9999999999999998.0', '9999999999999998.0'],
    ['100000000000000000000.0', '1e+20'],
    ['123456789012345680000.0', '1.2345678901234568e+20'],
    ['0.0001', '0.0001'],
    ['0.00012', '0.00012'],
    ['0.00001', '1e-05'],
    ['1e-5', '1e-05'],
    ['1.5e-7', '1.5e-07'],
    ['0.0000999', '9.99e-05'],
    ['1e-10', '1e-10'],
    ['5e-324', '5e-324'],
    ['1e-400', '0.0'],
    ['-1e-400', '-0.0'],
    ['0.30000000000000004', '0.30000000000000004'],
    ['0.1000000000000000055511151231257827', '0.1'],
    ['9007199254740993', '9007199254740993'],
    ['-123456789012345678901234567890', '-123456789012345678901234567890'],
  ])('%s', (literal, expected) => {
    expect(canonicalText(literal)).toBe(expected);
  });

  test.each(['1e400', 'NaN', '-'])('not %s', (literal) => {
    expect(() => canonicalText(literal)).toThrow(MalformedError);
  });
});

test('integers of up to 4300 digits', () => {
  const digits = '1'.repeat(4300);
  expect(canonicalText(digits)).toBe(digits);
  expect(() => canonicalText(`${digits}1`)).toThrow(MalformedError);
});

test.each([
  ['"é€😀"', '"\\u00e9\\u20ac\\ud83d\\ude00"'],
  ['"\\uD83D\\uDE00 \\u00E9"', '"\\ud83d\\ude00 \\u00e9"'],
  ['"\\ud800"', '"\\ud800"'],
  ['"\u007f\u0080\u2028\uffff"', '"\\u007f\\u0080\\u2028\\uffff"'],
  ['"\\u0001\\b\\f\\n\\r\\t\\"\\\\\\/"', '"\\u0001\\b\\f\\n\\r\\t\\"\\\\/"'],
  ['"\\u0061~ "', '"a~ "'],
])('ensure_ascii: %s', (text, expected) => {
  expect(canonicalText(text)).toBe(expected);
});

test.each([
  ['{"b":1,"a":2,"B":3,"":4,"10":5,"9":6}', '{"":4,"10":5,"9":6,"B":3,"a":2,"b":1}'],
  [
    ' { "o" : { "b" : [ ] , "a" : { } } , "l" : [ true , null , false ] } ',
    '{"l":[true,null,false],"o":{"a":{},"b":[]}}',
  ],
  ['{"ab":1,"a":2}', '{"a":2,"ab":1}'],
  // U+1F600 comes after U+E000, though its first UTF-16 unit is smaller.
  ['{"😀":1,"\ue000":2,"z":3}', '{"z":3,"\\ue000":2,"\\ud83d\\ude00":1}'],
  // Half a pair is a code point of its own: U+D83D comes before U+E000, and before every whole pair.
  ['{"\ue000":1,"😀":2,"\\ud83d":3}', '{"\\ud83d":3,"\\ue000":1,"\\ud83d\\ude00":2}'],
  ['{"\\ud83d\ue000":1,"😀":2}', '{"\\ud83d\\ue000":1,"\\ud83d\\ude00":2}'],
  ['{"😀":1,"😁":2,"😀a":3}', '{"\\ud83d\\ude00":1,"\\ud83d\\ude00a":3,"\\ud83d\\ude01":2}'],
  ['{"\\ud83d\\ud83d\\ude00":1,"\\ud83d\ue000":2}', '{"\\ud83d\\ue000":2,"\\ud83d\\ud83d\\ude00":1}'],
])('members sorted by code point: %s', (text, expected) => {
  expect(canonicalText(text)).toBe(expected);
});

test('it is its own canonical text', () => {
  const text = canonicalText('{"z": [1.50, {"é": -0.0}], "a": 1e-7}');
  expect(canonicalText(text)).toBe(text);
});

test.each(['{"a":1,"a":2}', '{"a":1,"b":2,"\\u0061":3}', '{"o":{"x":1,"x":1}}', '1 2', '', '[1,]'])(
  'refused: %s',
  (text) => {
    expect(() => canonicalText(text)).toThrow(MalformedError);
  },
);

describe('of a JavaScript value', () => {
  test.each([
    [20, '20'],
    [-0, '0'],
    [20.5, '20.5'],
    [1e-7, '1e-07'],
    [2 ** 53 - 1, '9007199254740991'],
    [2 ** 53, '9007199254740992.0'],
    [1e16, '1e+16'],
    [18_446_744_073_709_551_615n, '18446744073709551615'],
    [-5n, '-5'],
    ['é"', '"\\u00e9\\""'],
    [null, 'null'],
    [[true, [], {}], '[true,[],{}]'],
    [{ b: 1, a: { d: 'x', c: [1.5] } }, '{"a":{"c":[1.5],"d":"x"},"b":1}'],
  ])('%o', (value, expected) => {
    expect(canonicalTextOf(value)).toBe(expected);
  });

  test('an object of a function node, which is made in another realm', () => {
    expect(canonicalTextOf(runInContext('({ b: [1], a: { c: 2 } })', createContext({})))).toBe('{"a":{"c":2},"b":[1]}');
    expect(() => canonicalTextOf(runInContext('new Date(0)', createContext({})))).toThrow(MalformedError);
  });

  const cycle: unknown[] = [];
  cycle.push(cycle);
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['NaN', NaN],
    ['an infinity', -Infinity],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map([[1, 2]])],
    ['a Buffer', Buffer.from('a')],
    ['an undefined member', { a: undefined }],
    ['a form of its own', { toJSON: () => 1 }],
    ['a hole', new Array(2)],
    ['a cycle', cycle],
  ])('refused: %s', (_, value) => {
    expect(() => canonicalTextOf(value)).toThrow(MalformedError);
  });

  test('too long, too deep', () => {
    expect(canonicalTextOf(10n ** 4299n)).toHaveLength(4300);
    expect(() => canonicalTextOf(10n ** 4300n)).toThrow(MalformedError);
    const nested = (levels: number): unknown => (levels === 0 ? 0 : [nested(levels - 1)]);
    expect(canonicalTextOf(nested(32))).toBe(canonicalText(canonicalTextOf(nested(32))));
    expect(() => canonicalTextOf(nested(33))).toThrow(MalformedError);
  });
});
