import { describe, expect, test } from 'vitest';
import { PackError } from '../../../nodes/lib/errors';
import { lineOf, lineOfNew, nameFault } from '../../../nodes/lib/influx/line-protocol';
import { bodyForVersion3 } from '../../../nodes/lib/influx/line-for-version-3';
import { parseLine } from '../../../nodes/lib/influx/parse-line';
import type { FieldValue, Point } from '../../../nodes/lib/point';
import { RandomPoints } from './random-points';

function point(more: Partial<Record<keyof Point, unknown>> = {}): Point {
  return {
    bucket: 'raw',
    measurement: 'climate',
    tags: { site: 'hall' },
    fields: { temperature: { type: 'float', value: 20.5 } },
    time: '1700000000000000001',
    ...more,
  } as Point;
}

function field(type: string, value: unknown): Point {
  return point({ fields: { f: { type, value } } });
}

describe('lineOf', () => {
  test('writes measurement, tags, fields and time', () => {
    const fields: Record<string, FieldValue> = {
      f: { type: 'float', value: 20 },
      i: { type: 'integer', value: 20 },
      b: { type: 'boolean', value: true },
      s: { type: 'string', value: 'warm' },
    };
    expect(lineOf(point({ fields }))).toBe('climate,site=hall f=20,i=20i,b=true,s="warm" 1700000000000000001');
  });

  test('escapes what has a meaning of its own', () => {
    const awkward = point({
      measurement: 'a, b=c',
      tags: { 'k, =': 'v, =\\x' },
      fields: { 'f, =': { type: 'string', value: 'say "no\\yes"\n' } },
    });
    expect(lineOf(awkward)).toBe(
      'a\\,\\ b=c,k\\,\\ \\==v\\,\\ \\=\\x f\\,\\ \\=="say \\"no\\\\yes\\"\n" 1700000000000000001',
    );
  });

  test('leaves out tags without a value', () => {
    expect(lineOf(point({ tags: { site: '', device: 'd1' } }))).toBe(
      'climate,device=d1 temperature=20.5 1700000000000000001',
    );
  });

  test.each([
    ['float', -0, '-0'],
    ['float', 5e-324, '5e-324'],
    ['float', 1.7976931348623157e308, '1.7976931348623157e+308'],
    ['integer', -0, '0i'],
    ['integer', '9223372036854775807', '9223372036854775807i'],
    ['integer', '-9223372036854775808', '-9223372036854775808i'],
    ['integer', 9223372036854775807n, '9223372036854775807i'],
    ['integer', Number.MIN_SAFE_INTEGER, '-9007199254740991i'],
  ])('writes the %s %s as %s', (type, value, text) => {
    expect(lineOf(field(type, value))).toBe(`climate,site=hall f=${text} 1700000000000000001`);
  });

  test.each([
    ['no measurement', point({ measurement: '' }), 'measurement "" is empty'],
    ['a measurement that is no string', point({ measurement: undefined }), 'measurement is not a string'],
    ['a comment', point({ measurement: '#m' }), 'starts with #'],
    ['a line break in a name', point({ measurement: 'a\nb' }), 'line break'],
    ['a name that ends in a backslash', point({ measurement: 'a\\' }), 'ends in a backslash'],
    [
      'a backslash before a comma in a name',
      point({ fields: { 'a\\,': { type: 'float', value: 1 } } }),
      'backslash before',
    ],
    ['a tab at the start of a name', point({ measurement: '\tm' }), 'tab'],
    ['a tag named time', point({ tags: { time: 'x' } }), 'time column'],
    ['a field named time', point({ fields: { time: { type: 'float', value: 1 } } }), 'time column'],
    ['no tags', point({ tags: null }), 'no tags object'],
    ['a tag that is no string', point({ tags: { site: 7 } }), 'tag "site" is not a string'],
    ['a line break in a tag', point({ tags: { site: 'a\nb' } }), 'value of the tag "site" contains a line break'],
    ['a tag that ends in a backslash', point({ tags: { site: 'a\\' } }), 'ends in a backslash'],
    ['half a surrogate pair', point({ tags: { site: '\ud800' } }), 'not valid Unicode'],
    ['half a surrogate pair in a string', field('string', '\udc00'), 'not valid Unicode'],
    ['no fields object', point({ fields: undefined }), 'no fields object'],
    ['no field', point({ fields: {} }), 'no field'],
    ['a field without a type', point({ fields: { f: 1 } }), 'has no type'],
    ['not a number', field('float', NaN), 'not a finite number'],
    ['infinity', field('float', Infinity), 'not a finite number'],
    ['a float that is text', field('float', '1'), 'not a finite number'],
    ['a fraction as integer', field('integer', 1.5), 'JavaScript holds exactly'],
    ['an integer that is not exact', field('integer', 2 ** 53), 'JavaScript holds exactly'],
    ['an integer of more than 64 bits', field('integer', '9223372036854775808'), '64 bits'],
    ['an integer of less than 64 bits', field('integer', -9223372036854775809n), '64 bits'],
    ['digits with a leading zero', field('integer', '07'), '64 bits'],
    ['a boolean that is text', field('boolean', 'true'), 'not true or false'],
    ['a string that is a number', field('string', 1), 'not a string'],
    ['a time that is a number', point({ time: 1 }), 'time'],
    ['a time with a fraction', point({ time: '1.5' }), 'time'],
    ['a time that InfluxDB keeps for itself', point({ time: '9223372036854775807' }), 'time'],
  ])('refuses %s', (_, bad, reason) => {
    let error: unknown;
    try {
      lineOf(bad);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PackError);
    expect(error).toMatchObject({ code: 'invalid-point', message: expect.stringContaining(reason) as string });
  });

  test('takes members with awkward names for what they are', () => {
    const tags = JSON.parse('{"__proto__":"p","constructor":"c"}') as Record<string, string>;
    const line = lineOf(point({ tags }));
    expect(line).toBe('climate,__proto__=p,constructor=c temperature=20.5 1700000000000000001');
    expect(Object.entries(parseLine(line).tags)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
    ]);
  });
});

test.each([
  point({ measurement: '_series' }),
  point({ tags: { _tagKey: 'x' } }),
  point({ fields: { _name: { type: 'float', value: 1 } } }),
])('a new point has no name that starts with _ (%#)', (bad) => {
  expect(() => lineOfNew(bad)).toThrow(/starts with _/);
  expect(lineOf(bad)).toContain('_');
});

describe('nameFault', () => {
  test('has nothing against ordinary names', () => {
    for (const name of ['m', 'with space', 'a,b=c', 'back\\slash', '°C', '_m', '=']) {
      expect(nameFault(name, 'measurement')).toBeUndefined();
    }
  });
});

describe('parseLine', () => {
  test.each([1, 2, 3])('takes apart exactly what lineOf has made (seed %i)', (seed) => {
    const random = new RandomPoints(seed);
    for (let count = 0; count < 2000; count++) {
      const { bucket, ...expected } = random.point();
      expect(parseLine(lineOf({ bucket, ...expected }))).toStrictEqual(expected);
    }
  });

  test.each([
    '',
    'm',
    'm f',
    'm f=1',
    'm f=1 x',
    'm,t f=1 1',
    'm,t= f=1 1',
    'm f= 1',
    'm f="a 1',
    'm f=1u 1',
    'm f=abc 1',
    'm  f=1 1',
  ])('refuses %j', (line) => expect(() => parseLine(line)).toThrow(/not line protocol/));
});

describe('bodyForVersion3', () => {
  test('doubles the backslashes that stand for themselves, outside of strings', () => {
    const lines = [
      lineOf(point({ tags: { path: 'C:\\dir\\\\x', other: 'a\\, b' } })),
      lineOf(
        point({ fields: { s: { type: 'string', value: 'a\\b "c"\nd\\e f=1' }, t: { type: 'string', value: '\\' } } }),
      ),
      lineOf(point({ tags: { path: '\\x' } })),
    ];
    expect(bodyForVersion3(lines.join('\n'))).toBe(
      [
        'climate,path=C:\\\\dir\\\\\\\\x,other=a\\\\\\,\\ b temperature=20.5 1700000000000000001',
        lines[1],
        'climate,path=\\\\x temperature=20.5 1700000000000000001',
      ].join('\n'),
    );
  });

  test('is the body itself where there is no backslash', () => {
    expect(bodyForVersion3('m f=1 1\nm f=2 2')).toBe('m f=1 1\nm f=2 2');
  });
});
