import { describe, expect, it } from 'vitest';
import { EXAMPLE } from './example';
import { documentOf, documentWith, faultsOf, topicWith } from './support';

/** Documents with one fault each: its path, and words of its reason. */
const FAULTY: readonly (readonly [what: string, document: unknown, path: string, reason: RegExp])[] = [
  ['no document', 'null', '', /empty/],
  ['a list', '[]', '', /must be an object/],
  ['another version', { ...documentOf(), version: 2 }, '/version', /must be 1/],
  ['no buckets', { version: 1, topics: {} }, '/buckets', /is missing/],
  ['an unknown member', { ...documentOf(), topic: {} }, '/topic', /not known/],
  ['a bucket with a slash', documentOf({}, { 'a/b': { retention: '1d' } }), '/buckets/a~1b', /no bucket name/],
  [
    'a bucket with an underscore in front',
    documentOf({}, { _a: { retention: '1d' } }),
    '/buckets/_a',
    /no bucket name/,
  ],
  [
    'a bucket with 65 characters',
    documentOf({}, { ['a'.repeat(65)]: { retention: '1d' } }),
    `/buckets/${'a'.repeat(65)}`,
    /at most 64/,
  ],
  ['a bucket without retention', documentOf({}, { b: {} }), '/buckets/b/retention', /is missing/],
  ['a bucket without end', documentOf({}, { b: { retention: 'INF' } }), '/buckets/b/retention', /must be a duration/],
  ['a retention of 59 minutes', documentOf({}, { b: { retention: '59m' } }), '/buckets/b/retention', /at least 1h/],
  [
    'a retention of 101 years',
    documentOf({}, { b: { retention: '36865d' } }),
    '/buckets/b/retention',
    /at most 36500d/,
  ],
  ['a duration without unit', documentOf({ interval: 10 }), '/topics/t/interval', /must be a duration/],
  ['an unknown kind', documentOf({ kind: 'event' }), '/topics/t/kind', /one of sensor, alarm, action/],
  ['an undeclared bucket', documentOf({ bucket: 'rw' }), '/topics/t/bucket', /"rw" is not among the buckets/],
  ['an empty measurement', documentOf({ measurement: '' }), '/topics/t/measurement', /no name for a measurement/],
  [
    'a measurement with # in front',
    documentOf({ measurement: '#m' }),
    '/topics/t/measurement',
    /no name for a measurement/,
  ],
  [
    'a measurement with a capture',
    documentOf({ measurement: '{m}' }),
    '/topics/t/measurement',
    /no name for a measurement/,
  ],
  ['a tag called time', documentOf({ tags: { time: 'x' } }), '/topics/t/tags/time', /no name for a tag/],
  [
    'a tag with an underscore in front',
    documentOf({ tags: { _field: 'x' } }),
    '/topics/t/tags/_field',
    /no name for a tag/,
  ],
  ['an empty tag', documentOf({ tags: { a: '' } }), '/topics/t/tags/a', /cannot be stored as a tag/],
  [
    'a tag with a backslash at the end',
    documentOf({ tags: { a: 'x\\' } }),
    '/topics/t/tags/a',
    /cannot be stored as a tag/,
  ],
  ['a tag with a line break', documentOf({ tags: { a: 'x\ny' } }), '/topics/t/tags/a', /cannot be stored as a tag/],
  ['a capture without quotes', documentOf({ tags: { a: { site: null } } }), '/topics/t/tags/a', /needs quotes/],
  [
    'a field called ts',
    documentOf({ fields: { ts: { type: 'float' } } }),
    '/topics/t/fields/ts',
    /no name for a field/,
  ],
  [
    'a field called __proto__',
    `{"version":1,"buckets":{"raw":{"retention":"1d"}},"topics":{"t":{"kind":"sensor","bucket":"raw","measurement":"m","fields":{"__proto__":{"type":"float"}}}}}`,
    '/topics/t/fields/__proto__',
    /no name for a field/,
  ],
  [
    'a field with a backslash at the end',
    documentOf({ fields: { 'a\\': { type: 'float' } } }),
    '/topics/t/fields/a\\',
    /no name for a field/,
  ],
  ['no fields', documentOf({ fields: {} }), '/topics/t/fields', /must not be empty/],
  ['neither fields nor schema', documentOf({ fields: undefined }), '/topics/t', /needs fields, or a schema/],
  ['a field without type', documentOf({ fields: { a: {} } }), '/topics/t/fields/a/type', /is missing/],
  [
    'an unknown type',
    documentOf({ fields: { a: { type: 'double' } } }),
    '/topics/t/fields/a/type',
    /one of float, integer/,
  ],
  [
    'an unknown field option',
    documentOf({ fields: { a: { type: 'float', max: 3 } } }),
    '/topics/t/fields/a/max',
    /not known/,
  ],
  [
    'limits of a boolean',
    documentOf({ fields: { a: { type: 'boolean', minimum: 0 } } }),
    '/topics/t/fields/a/minimum',
    /does not go with/,
  ],
  [
    'the length of a number',
    documentOf({ fields: { a: { type: 'float', maxLength: 3 } } }),
    '/topics/t/fields/a/maxLength',
    /does not go with/,
  ],
  [
    'numbers for a string',
    documentOf({ fields: { a: { type: 'string', enum: [1] } } }),
    '/topics/t/fields/a/enum/0',
    /must be a string/,
  ],
  [
    'a value twice',
    documentOf({ fields: { a: { type: 'string', enum: ['x', 'x'] } } }),
    '/topics/t/fields/a/enum',
    /twice/,
  ],
  [
    'a half integer',
    documentOf({ fields: { a: { type: 'integer', enum: [1.5] } } }),
    '/topics/t/fields/a/enum/0',
    /whole number/,
  ],
  [
    'a limit that is not exact',
    documentOf({ fields: { a: { type: 'integer', maximum: 2 ** 53 } } }),
    '/topics/t/fields/a/maximum',
    /<= 9007199254740991/,
  ],
  [
    'limits the wrong way round',
    documentOf({ fields: { a: { type: 'float', minimum: 2, maximum: 1 } } }),
    '/topics/t/fields/a/minimum',
    /above maximum/,
  ],
  [
    'lengths the wrong way round',
    documentOf({ fields: { a: { type: 'string', minLength: 2, maxLength: 1 } } }),
    '/topics/t/fields/a/minLength',
    /above maxLength/,
  ],
  [
    'a bad pattern',
    documentOf({ fields: { a: { type: 'string', pattern: '(' } } }),
    '/topics/t/fields/a/pattern',
    /no regular expression/,
  ],
  [
    'an unknown capture in the device',
    documentOf({ device: '{site}' }),
    '/topics/t/device',
    /\{site\} is not captured/,
  ],
  [
    'an unknown capture in a tag',
    documentOf({ tags: { a: 'x-{site}' } }),
    '/topics/t/tags/a',
    /\{site\} is not captured/,
  ],
  ['stray braces in the device', documentOf({ device: 'a}' }), '/topics/t/device', /braces/],
  [
    'a window beyond the retention',
    documentOf({ window: { past: '2d' } }),
    '/topics/t/window/past',
    /"raw" keeps points: 1d/,
  ],
  [
    'an action with an interval',
    documentOf({ kind: 'action', interval: '1m' }),
    '/topics/t/interval',
    /does not go with/,
  ],
  [
    'an acknowledged sensor',
    documentOf({ acknowledge: { topic: 'a', within: '1s' } }),
    '/topics/t/acknowledge',
    /does not go with/,
  ],
  [
    'an acknowledgement with a wildcard',
    documentOf({ kind: 'action', acknowledge: { topic: 'a/+', within: '1s' } }),
    '/topics/t/acknowledge/topic',
    /every level/,
  ],
  [
    'an acknowledgement with an unknown capture',
    documentOf({ kind: 'action', acknowledge: { topic: 'a/{x}', within: '1s' } }),
    '/topics/t/acknowledge/topic',
    /\{x\} is not captured/,
  ],
  [
    'an acknowledgement without the device',
    documentWith({
      'a/{x}': topicWith({ kind: 'action', device: '{x}', acknowledge: { topic: 'ack', within: '1s' } }),
    }),
    '/topics/a~1{x}/acknowledge/topic',
    /must capture \{x\}/,
  ],
  [
    "an acknowledgement on a sensor's topic",
    documentWith({ s: topicWith(), a: topicWith({ kind: 'action', acknowledge: { topic: 's', within: '1s' } }) }),
    '/topics/a/acknowledge/topic',
    /same topics as s/,
  ],
  ['a sensor that clears', documentOf({ clear_after: '1h' }), '/topics/t/clear_after', /does not go with/],
  ['events of an action', documentOf({ kind: 'action', events: 'e' }), '/topics/t/events', /does not go with/],
  [
    "events among the device's own data",
    documentOf({ interval: '1m', events: 'm' }),
    '/topics/t/events',
    /must be another measurement/,
  ],
  [
    'events where another topic has such a column of another type',
    documentWith({
      s: topicWith({ measurement: 'm_events', fields: { count: { type: 'float' } } }),
      t: topicWith({ interval: '1m' }),
    }),
    '/topics/t/events',
    /makes "count" a integer in measurement "m_events".*topic s makes it a float/,
  ],
  [
    'events among windows',
    documentWith({
      s: topicWith({ measurement: 'w', aggregate: [{ every: '5m', functions: ['mean'], into: 'averages' }] }),
      t: topicWith({ bucket: 'averages', interval: '1m', events: 'w' }),
    }),
    '/topics/t/events',
    /what topic s aggregates/,
  ],
  [
    'filters that cannot be told apart',
    documentWith({ 'a/{x}': topicWith(), 'a/{y}': topicWith() }),
    '/topics/a~1{y}',
    /same topics as a\/\{x\}/,
  ],
  [
    'an unknown aggregate function',
    documentOf({ aggregate: [{ every: '5m', functions: ['avg'], into: 'averages' }] }),
    '/topics/t/aggregate/0/functions/0',
    /one of mean, median/,
  ],
  [
    'an aggregate into nowhere',
    documentOf({ aggregate: [{ every: '5m', functions: ['mean'], into: 'x' }] }),
    '/topics/t/aggregate/0/into',
    /"x" is not among/,
  ],
  [
    'an aggregate into its own bucket',
    documentOf({ aggregate: [{ every: '5m', functions: ['mean'], into: 'raw' }] }),
    '/topics/t/aggregate/0/into',
    /another bucket/,
  ],
  [
    'windows that raw points do not outlive',
    documentOf({ aggregate: [{ every: '13h', functions: ['mean'], into: 'averages' }] }),
    '/topics/t/aggregate/0/every',
    /need raw points for 26h/,
  ],
  [
    'windows that leave no margin',
    documentOf(
      { bucket: 'short', aggregate: [{ every: '55m', functions: ['mean'], into: 'averages' }] },
      { short: { retention: '1h' } },
    ),
    '/topics/t/aggregate/0/every',
    /"short" keeps points for 1h/,
  ],
  [
    'results that are not kept',
    documentOf({ aggregate: [{ every: '1h', functions: ['mean'], into: 'short' }] }, { short: { retention: '1h' } }),
    '/topics/t/aggregate/0/into',
    /need their results for 2h/,
  ],
  [
    'a median of texts',
    documentOf({
      fields: { a: { type: 'string' } },
      aggregate: [{ every: '5m', functions: ['median'], into: 'averages' }],
    }),
    '/topics/t/aggregate/0/functions',
    /need numeric fields/,
  ],
  [
    'a chosen field that is no number',
    documentOf({
      fields: { a: { type: 'float' }, b: { type: 'boolean' } },
      aggregate: [{ every: '5m', functions: ['max'], into: 'averages', fields: ['a', 'b'] }],
    }),
    '/topics/t/aggregate/0/fields/1',
    /"b" is no numeric field/,
  ],
  [
    'windows of two lengths in one measurement',
    documentOf({
      aggregate: [
        { every: '5m', functions: ['mean'], into: 'averages' },
        { every: '1h', functions: ['max'], into: 'averages' },
      ],
    }),
    '/topics/t/aggregate/1/every',
    /must be 5m/,
  ],
  [
    'a field of two types',
    documentWith({ a: topicWith(), b: topicWith({ fields: { value: { type: 'string' } } }) }),
    '/topics/b/fields/value',
    /"value" a string .* topic a makes it a float/,
  ],
  [
    'a tag and a field of one name',
    documentOf({ tags: { value: 'x' } }),
    '/topics/t/fields/value',
    /"value" a float .* makes it a tag/,
  ],
  [
    'a tag of one topic and a field of another',
    documentWith({ a: topicWith(), b: topicWith({ tags: { value: 'x' }, fields: { other: { type: 'float' } } }) }),
    '/topics/b/tags/value',
    /"value" a tag .* topic a makes it a float/,
  ],
  [
    'a tag named like a result',
    documentOf({
      tags: { value_count: 'x' },
      aggregate: [{ every: '5m', functions: ['max'], into: 'averages' }],
    }),
    '/topics/t/aggregate/0/into',
    /"value_count" a float .* makes it a tag/,
  ],
  [
    'windows of two buckets in one measurement',
    documentWith(
      {
        a: topicWith({ aggregate: [{ every: '5m', functions: ['max'], into: 'averages' }] }),
        b: topicWith({ bucket: 'other', aggregate: [{ every: '5m', functions: ['mean'], into: 'averages' }] }),
      },
      { other: { retention: '1d' } },
    ),
    '/topics/b/aggregate/0/into',
    /another bucket, or the measurement another one: measurement "m" of bucket "averages" .* "raw" \(topic a\).* "other"/,
  ],
  [
    'points in a measurement of windows',
    documentWith({
      a: topicWith({ aggregate: [{ every: '5m', functions: ['max'], into: 'averages' }] }),
      b: topicWith({ bucket: 'averages', fields: { value_max: { type: 'float' } } }),
    }),
    '/topics/b/bucket',
    /measurement "m" of bucket "averages" holds what topic a aggregates/,
  ],
  [
    'windows in a measurement of points',
    documentWith({
      a: topicWith({ bucket: 'averages', fields: { value_max: { type: 'float' } } }),
      b: topicWith({ aggregate: [{ every: '5m', functions: ['max'], into: 'averages' }] }),
    }),
    '/topics/b/aggregate/0/into',
    /measurement "m" of bucket "averages" holds the points of topic a/,
  ],
];

describe('faults', () => {
  it.each(FAULTY)('%s', (_, document, path, reason) => {
    const faults = faultsOf(document);
    expect(faults.map((fault) => fault.path)).toEqual([path]);
    expect(faults[0]?.reason).toMatch(reason);
  });

  it('are found where the windows of two topics are the points of each other', () => {
    const faults = faultsOf(
      documentWith({
        a: topicWith({ aggregate: [{ every: '5m', functions: ['max'], into: 'averages' }] }),
        b: topicWith({
          bucket: 'averages',
          fields: { other: { type: 'float' } },
          aggregate: [{ every: '5m', functions: ['max'], into: 'raw' }],
        }),
      }),
    );
    expect(faults.map(({ path }) => path)).toEqual(['/topics/b/bucket', '/topics/b/aggregate/0/into']);
  });

  it('are all found at once, whether the schema sees them or not, with their lines', () => {
    const text = EXAMPLE.replace('kind: alarm', 'kind: larm')
      .replace('bucket: raw', 'bucket: roh')
      .replace('averages: { retention: 30d }', 'averages: { retention: 30 }')
      .replace('maximum: 100 }\n    ack', 'maximum: -1 }\n    ack');
    expect(faultsOf(text).map(({ path, line }) => [path, line])).toEqual([
      ['/buckets/averages/retention', 4],
      ['/topics/sensors~1{site}~1{device}~1climate/bucket', 10],
      ['/topics/alarms~1{site}~1{device}~1smoke/kind', 21],
      ['/topics/actions~1{site}~1{device}~1valve/fields/position/minimum', 37],
    ]);
  });

  it('have lines in JSON too', () => {
    const text = JSON.stringify(documentOf({ bucket: 'x' }), null, 2);
    const line = text.slice(0, text.indexOf('"bucket"')).split('\n').length;
    expect(faultsOf(text)).toEqual([{ path: '/topics/t/bucket', reason: '"x" is not among the buckets', line }]);
  });
});
