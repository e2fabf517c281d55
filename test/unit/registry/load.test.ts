import { describe, expect, it } from 'vitest';
import { EXAMPLE } from './example';
import { documentOf, documentWith, faultsOf, matchOf, registryOf, topicWith } from './support';

describe('the example', () => {
  const registry = registryOf(EXAMPLE);

  it('has its buckets with their retentions in seconds', () => {
    expect([...registry.buckets]).toEqual([
      ['raw', { retention: 86_400 }],
      ['averages', { retention: 2_592_000 }],
      ['events', { retention: 31_536_000 }],
    ]);
  });

  it('has its topics with typed fields, times in milliseconds and the fields to aggregate', () => {
    const [climate, smoke, valve] = registry.topics;
    expect(climate).toMatchObject({
      filter: 'sensors/{site}/{device}/climate',
      kind: 'sensor',
      bucket: 'raw',
      measurement: 'climate',
      interval: 10_000,
      window: { past: 86_400_000, future: 60_000 },
      aggregates: [
        { every: 300_000, functions: ['mean', 'max'], into: 'averages', fields: ['temperature', 'humidity'] },
      ],
      acknowledge: undefined,
    });
    expect(climate?.format.fields).toEqual([
      { name: 'temperature', type: 'float', optional: false, unit: '°C', minimum: -40, maximum: 85 },
      { name: 'humidity', type: 'float', optional: true, unit: '%', minimum: 0, maximum: 100 },
    ]);
    expect(smoke).toMatchObject({ kind: 'alarm', interval: undefined, window: { past: 3_600_000, future: 60_000 } });
    expect(valve).toMatchObject({
      kind: 'action',
      acknowledge: { topic: 'actions/{site}/{device}/valve/ack', within: 10_000 },
    });
  });

  it('knows the device and the tags of a topic', () => {
    const match = matchOf(registry, 'alarms/north/boiler/smoke');
    expect(match).toMatchObject({ kind: 'alarm', device: 'north/boiler' });
    expect(match.tags).toEqual({ site: 'north', device: 'boiler', alarm: 'smoke' });
  });

  it('knows the acknowledgement of an action, by the same device', () => {
    const match = matchOf(registry, 'actions/north/boiler/valve/ack');
    expect(match).toMatchObject({ kind: 'acknowledgement', device: 'north/boiler', tags: {} });
    expect(match.entry.filter).toBe('actions/{site}/{device}/valve');
  });
});

describe('what is allowed', () => {
  it.each([
    ['topics of one measurement that agree', documentWith({ a: topicWith(), b: topicWith() })],
    [
      'a field of two types in two buckets',
      documentWith({ a: topicWith(), b: topicWith({ bucket: 'averages', fields: { value: { type: 'string' } } }) }),
    ],
    [
      'a capture beside a wildcard',
      documentWith({ 'a/{x}': topicWith(), 'a/+': topicWith(), 'a/#': topicWith(), 'a/b': topicWith() }),
    ],
    [
      'windows of two lengths in two buckets',
      documentOf(
        {
          aggregate: [
            { every: '5m', functions: ['mean'], into: 'averages' },
            { every: '1h', functions: ['mean'], into: 'long' },
          ],
        },
        { long: { retention: '52w' } },
      ),
    ],
    [
      'windows of two buckets in one, by measurements of their own',
      documentWith(
        {
          a: topicWith({ aggregate: [{ every: '5m', functions: ['mean'], into: 'averages' }] }),
          b: topicWith({
            bucket: 'other',
            measurement: 'n',
            aggregate: [{ every: '5m', functions: ['mean'], into: 'averages' }],
          }),
        },
        { other: { retention: '1d' } },
      ),
    ],
    [
      'windows of two topics that share bucket and measurement, and points of another measurement beside them',
      documentWith({
        a: topicWith({ aggregate: [{ every: '5m', functions: ['mean'], into: 'averages' }] }),
        b: topicWith({ aggregate: [{ every: '5m', functions: ['max'], into: 'averages' }] }),
        c: topicWith({ bucket: 'averages', measurement: 'n' }),
      }),
    ],
    ['no topics', documentWith({})],
    ['a $schema for the editor', { $schema: 'registry.schema.json', ...documentOf() }],
  ])('%s', (_, document) => {
    expect(faultsOf(document)).toEqual([]);
  });

  it('a device and tags that use a capture several times, with texts around', () => {
    const registry = registryOf(
      documentWith({ '{a}/{b}': topicWith({ device: 'x-{a}-{b}-{a}', tags: { t: '{b}{b}/{a}', u: 'fixed' } }) }),
    );
    const match = matchOf(registry, '1/2');
    expect(match.device).toBe('x-1-2-1');
    expect(match.tags).toEqual({ t: '22/1', u: 'fixed' });
  });

  it('an alarm with severities in order, a time after which it ends, and a measurement of its events', () => {
    const fields = { active: { type: 'boolean' }, severity: { type: 'string', enum: ['low', 'high'] } };
    const document = documentWith({
      a: topicWith({ kind: 'alarm', fields, clear_after: '10m' }),
      b: topicWith({ kind: 'alarm', fields: { active: { type: 'boolean' } }, events: 'log', tags: { state: 'x' } }),
      c: topicWith({ interval: '1m' }),
      d: topicWith({ measurement: 'd' }),
    });
    expect(registryOf(document).topics).toMatchObject([
      { clearAfter: 600_000, severities: ['low', 'high'], events: 'm_events' },
      { clearAfter: undefined, severities: [], events: 'log' },
      { events: 'm_events' },
      { events: undefined },
    ]);
  });

  it('default windows: the retention for sensors, an hour for alarms, actions and acknowledgements', () => {
    const registry = registryOf(
      documentWith({
        s: topicWith(),
        al: topicWith({ kind: 'alarm', fields: { active: { type: 'boolean' } } }),
        ac: topicWith({ kind: 'action', acknowledge: { topic: 'ack', within: '5s' } }),
      }),
    );
    const windows = ['s', 'al', 'ac', 'ack'].map((topic) => matchOf(registry, topic).window);
    const hour = { past: 3_600_000, future: 60_000 };
    expect(windows).toEqual([{ past: 86_400_000, future: 60_000 }, hour, hour, hour]);
  });
});
