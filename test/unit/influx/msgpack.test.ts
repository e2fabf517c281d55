import { expect, test } from 'vitest';
import { decodeMsgpack, DocumentSplitter, type MsgpackValue } from '../../../nodes/lib/influx/msgpack';

function decode(hex: string): MsgpackValue {
  return decodeMsgpack(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test.each<[string, string, MsgpackValue]>([
  ['nil', 'c0', null],
  ['false', 'c2', false],
  ['true', 'c3', true],
  ['a float that is whole', 'cb 3ff0000000000000', 1],
  ['a float of 32 bits', 'ca 3fc00000', 1.5],
  ['positive fixint', '7f', 127n],
  ['negative fixint', 'e0', -32n],
  ['uint 8', 'cc ff', 255n],
  ['uint 16', 'cd ffff', 65_535n],
  ['uint 32', 'ce ffffffff', 4_294_967_295n],
  ['uint 64', 'cf ffffffffffffffff', 18_446_744_073_709_551_615n],
  ['int 8', 'd0 80', -128n],
  ['int 16', 'd1 8000', -32_768n],
  ['int 32', 'd2 80000000', -2_147_483_648n],
  ['int 64', 'd3 8000000000000000', -9_223_372_036_854_775_808n],
  ['fixstr', 'a2 c3bc', 'ü'],
  ['str 8', 'd9 02 6f6b', 'ok'],
  ['str 16', 'da 0002 6f6b', 'ok'],
  ['str 32', 'db 00000002 6f6b', 'ok'],
  ['a time of InfluxDB', 'c7 0c 05 000000000000000a 00000007', 10_000_000_007n],
  ['fixarray', '92 01 c0', [1n, null]],
  ['array 16', 'dc 0001 01', [1n]],
  ['array 32', 'dd 00000001 01', [1n]],
  ['fixmap', '81 a1 61 01', new Map([['a', 1n]])],
  ['map 16', 'de 0001 a1 61 01', new Map([['a', 1n]])],
  ['map 32', 'df 00000001 a1 61 01', new Map([['a', 1n]])],
])('%s', (_, hex, value) => {
  expect(decode(hex)).toEqual(value);
});

test('a key that JavaScript gives a meaning of its own is one like others', () => {
  expect(decode(`81 a9 ${Buffer.from('__proto__').toString('hex')} 01`)).toEqual(new Map([['__proto__', 1n]]));
});

test.each(['c1', 'c7 01 01 00', 'd4 01 00', 'a3 6f6b', 'cd 01', '81 01 01'])('%s is not taken for anything', (hex) => {
  expect(() => decode(hex)).toThrow(RangeError);
});

/** Every type there is, nested, twice over. */
const DOCUMENTS = [
  '83 a1 61 93 c0 c2 cb 3ff0000000000000 a1 62 de 0001 d9 01 63 da 0002 6f6b a1 64 dd 00000002 7f e0',
  '9f cc ff cd ffff ce ffffffff cf ffffffffffffffff d0 80 d1 8000 d2 80000000 d3 8000000000000000 c4 02 0102 c5 0001 01 c6 00000001 01 c7 0c 05 000000000000000a 00000007 c8 0001 05 01 d6 05 01020304 d4 05 01',
  'dc 0003 d5 05 0102 d7 05 0102030405060708 d8 05 01020304050607080910111213141516',
  'c0',
  'df 00000001 db 00000001 61 90',
  '80',
].map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'));

test.each([1, 2, 3, 7, 64, 10_000])('documents are found in parts of %i bytes', (size) => {
  const stream = Buffer.concat([...DOCUMENTS, ...DOCUMENTS]);
  const splitter = new DocumentSplitter();
  const found: Buffer[] = [];
  for (let at = 0; at < stream.length; at += size) found.push(...splitter.push(stream.subarray(at, at + size)));
  expect(found.map((each) => each.toString('hex'))).toEqual(
    [...DOCUMENTS, ...DOCUMENTS].map((each) => each.toString('hex')),
  );
  expect(splitter.isWithin).toBe(false);
});

test('a document that is not complete is waited for', () => {
  const splitter = new DocumentSplitter();
  expect(splitter.isWithin).toBe(false);
  expect(splitter.push(Buffer.from('92c0', 'hex'))).toEqual([]);
  expect(splitter.isWithin).toBe(true);
  expect(splitter.push(Buffer.from('cd', 'hex'))).toEqual([]);
  expect(splitter.push(Buffer.from('0102', 'hex'))).toEqual([Buffer.from('92c0cd0102', 'hex')]);
});
