import { describe, expect, it } from 'vitest';
import { decodeChunk, encodeChunk } from '../../../nodes/lib/store/chunk';
import { chunkKey, chunkPrefix } from '../../../nodes/lib/store/keys';

const key = chunkKey(chunkPrefix('server', 'raw data/1', 'event'), 7);

function encode(lines: string[]): Buffer {
  const multiline = lines.some((line) => line.includes('\n'));
  return encodeChunk({ key, origin: 'node-ä', acceptedAt: 1_764_000_000_123, lines, multiline }).value;
}

describe('a chunk', () => {
  it.each([
    ['one line', ['climate temperature=20.5 1']],
    ['several lines', ['a v=1 1', 'b v="°C 😀" 2', 'c v=3 3']],
    ['line breaks inside strings', ['a v="one\ntwo" 1', 'b v=2 2', 'c v="\n" 3']],
  ])('gives back what was put in: %s', (_, lines) => {
    const value = encode(lines);
    const chunk = decodeChunk(key, value);
    expect(chunk).toMatchObject({
      key,
      bucket: 'raw data/1',
      priority: 'event',
      origin: 'node-ä',
      sequence: 7,
      points: lines.length,
      bytes: Buffer.byteLength(lines.join('\n')),
      acceptedAt: 1_764_000_000_123,
    });
    expect(chunk?.lines()).toEqual(lines);
    expect(chunk?.text()).toBe(lines.join('\n'));
  });

  it('is refused when any single byte of it has changed', () => {
    const value = encode(['climate temperature=20.5 1', 'climate temperature=21 2']);
    for (let at = 0; at < value.length; at++) {
      const changed = Buffer.from(value);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x10, at);
      expect(decodeChunk(key, changed), `byte ${at}`).toBeUndefined();
    }
  });

  it('is refused at every shorter length and under another key', () => {
    const value = encode(['climate temperature=20.5 1']);
    for (let length = 0; length < value.length; length++) {
      expect(decodeChunk(key, value.subarray(0, length))).toBeUndefined();
    }
    expect(decodeChunk(chunkKey(chunkPrefix('server', 'other', 'event'), 7), value)).toBeUndefined();
    expect(decodeChunk('chunk/server', value)).toBeUndefined();
  });
});
