import { describe, expect, it } from 'vitest';
import { bucketFault, checkBucket } from '../../../nodes/lib/influx/bucket-name';

describe('names of buckets', () => {
  it.each(['raw', 'my bucket', 'a.b', 'Größe', '0', 'x'.repeat(255), 'a_b-c', '-'])('can be %j', (name) => {
    expect(bucketFault(name)).toBeUndefined();
    expect(() => checkBucket(name)).not.toThrow();
  });

  it.each<[unknown, string]>([
    ['', 'is empty'],
    [undefined, 'is not a string'],
    [7, 'is not a string'],
    ['../x', 'has a slash'],
    ['a/b', 'has a slash'],
    ['a\\b', 'has a slash'],
    ['a"b', 'has a slash'],
    ['.', 'is the name of a folder'],
    ['..', 'is the name of a folder'],
    ['_internal', 'starts with _'],
    ['a\nb', 'has a control character'],
    [' a', 'starts or ends with a space'],
    ['\ud800', 'is not valid Unicode'],
    ['é'.repeat(128), 'is longer'],
    ['x'.repeat(1e6), 'is longer'],
  ])('cannot be %j', (name, fault) => {
    expect(bucketFault(name)).toContain(fault);
    expect(() => checkBucket(name as string)).toThrow(expect.objectContaining({ code: 'invalid-point' }));
  });
});
