import { describe, expect, it } from 'vitest';
import { seal, unseal } from '../../../nodes/lib/store/codec';
import { crc32c } from '../../../nodes/lib/store/crc32c';

describe('a record', () => {
  const body = Buffer.from('{"id":"a1","steps":[]}');
  const record = seal('action/b1/7', body);

  it('gives its body back', () => {
    expect(unseal('action/b1/7', record)).toEqual(body);
    expect(unseal('mark/a', seal('mark/a', Buffer.alloc(0)))).toEqual(Buffer.alloc(0));
  });

  it('is damaged when any bit of it is another, when it is cut, and under another key', () => {
    for (let bit = 0; bit < record.length * 8; bit++) {
      const flipped = Buffer.from(record);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(unseal('action/b1/7', flipped)).toBe('damaged');
    }
    for (let length = 0; length < record.length; length++)
      expect(unseal('action/b1/7', record.subarray(0, length))).toBe('damaged');
    expect(unseal('action/b1/6', record)).toBe('damaged');
  });

  it('of a later release is told from a damaged one', () => {
    const later = Buffer.from(record);
    later[4] = 2;
    later.writeUInt32LE(crc32c(later, 4, later.length, crc32c(Buffer.from('action/b1/7'))), 0);
    expect(unseal('action/b1/7', later)).toBe('later-release');
  });
});
