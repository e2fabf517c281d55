import { describe, expect, it } from 'vitest';
import {
  chunkKey,
  chunkPrefix,
  chunkRange,
  laneKey,
  laneRange,
  parseKey,
  sequenceOf,
} from '../../../nodes/lib/store/keys';

describe('keys', () => {
  it('of a lane are in the order of their sequences', () => {
    const prefix = chunkPrefix('s1', 'raw', 'sensor');
    const sequences = [0, 1, 9, 10, 255, 256, 4096, 2 ** 32, Number.MAX_SAFE_INTEGER];
    const keys = sequences.map((sequence) => chunkKey(prefix, sequence));
    expect([...keys].sort()).toEqual(keys);
    expect(keys.map(sequenceOf)).toEqual(sequences);
  });

  it('hold any server and bucket', () => {
    for (const name of ['raw', 'a/b', '100%', 'größe', '', '😀', 'a\nb']) {
      const key = chunkKey(chunkPrefix(`s${name}`, name, 'event'), 5);
      expect(parseKey(key)).toEqual({ server: `s${name}`, bucket: name, priority: 'event' });
      expect(parseKey(laneKey(`s${name}`, name, 'sensor'))).toEqual({
        server: `s${name}`,
        bucket: name,
        priority: 'sensor',
      });
    }
  });

  it('with half a surrogate pair do not throw', () => {
    expect(parseKey(laneKey('s', '\ud800', 'event'))?.bucket).toBe('\ufffd');
  });

  it('of one server are in its ranges, those of others are not', () => {
    const within = (key: string, { gte, lt }: { gte: string; lt: string }): boolean => key >= gte && key < lt;
    const own = chunkKey(chunkPrefix('s1', 'zzz', 'sensor'), 1);
    expect(within(own, chunkRange('s1'))).toBe(true);
    for (const other of ['s', 's10', 's0', 's2', 's1-']) {
      expect(within(chunkKey(chunkPrefix(other, 'raw', 'sensor'), 1), chunkRange('s1'))).toBe(false);
      expect(within(laneKey(other, 'raw', 'sensor'), laneRange('s1'))).toBe(false);
      expect(within(laneKey(other, 'raw', 'sensor'), laneRange())).toBe(true);
    }
  });

  it.each(['', 'chunk/', 'chunk/s/b/2/00000000000000', 'lane/s/%E0%A4%A/0', 'chunk/s/b/0/123', 'repaired'])(
    'that no release has written are told apart: %s',
    (key) => {
      expect(parseKey(key)).toBeUndefined();
    },
  );
});
