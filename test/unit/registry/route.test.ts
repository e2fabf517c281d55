import { describe, expect, it } from 'vitest';
import { Literals, integerDigits } from '../../../nodes/lib/registry/digits';
import { route } from '../../../nodes/registry-route/route';
import type { Route } from '../../../nodes/registry-route/route';
import { EXAMPLE } from './example';
import { documentOf, documentWith, faultsOf, registryOf, routeBy, topicWith } from './support';

const TIME = '"ts":1790000000,"ts_ns":5';

/** The fields of a point, or the faults as lines. */
function outcome(result: Route): unknown {
  if (result.ok) return result.point?.fields;
  return result.faults?.map(({ path, reason }) => `${path} ${reason}`);
}

describe('routing by the example', () => {
  const registry = registryOf(EXAMPLE);
  const send = (topic: string, text: string): Route => route(registry, topic, JSON.parse(text), text);

  it('makes a point of a reading: whole numbers in float fields are floats, the time has nanoseconds', () => {
    expect(send('sensors/north/roof/climate', `{"humidity":55.5,"temperature":20,${TIME}}`)).toEqual({
      ok: true,
      kind: 'sensor',
      point: {
        bucket: 'raw',
        measurement: 'climate',
        tags: { site: 'north', device: 'roof' },
        fields: { temperature: { type: 'float', value: 20 }, humidity: { type: 'float', value: 55.5 } },
        time: '1790000000000000005',
      },
    });
  });

  it('leaves out optional fields that did not come', () => {
    expect(outcome(send('sensors/a/b/climate', `{"temperature":1,${TIME}}`))).toEqual({
      temperature: { type: 'float', value: 1 },
    });
  });

  it('makes points of alarms and actions; expires needs no listing', () => {
    const alarm = send('alarms/a/b/smoke', `{"active":true,"severity":"high",${TIME}}`);
    expect(alarm).toMatchObject({
      kind: 'alarm',
      point: {
        tags: { site: 'a', device: 'b', alarm: 'smoke' },
        fields: { active: { type: 'boolean', value: true }, severity: { type: 'string', value: 'high' } },
      },
    });
    const action = send('actions/a/b/valve', `{"id":"7","expires":1790000060,"position":10,${TIME}}`);
    expect(action).toMatchObject({
      kind: 'action',
      point: { fields: { id: { type: 'string', value: '7' }, position: { type: 'float', value: 10 } } },
    });
    expect(Object.keys(outcome(action) as object)).toEqual(['id', 'position']);
  });

  it('lets acknowledgements through without a point', () => {
    expect(send('actions/a/b/valve/ack', '{"id":"7"}')).toEqual({ ok: true, kind: 'acknowledgement' });
  });

  it('names every fault of a payload', () => {
    const result = send('sensors/a/b/climate', '{"temperature":90,"humidity":"55","pressure":1,"ts":1790000000}');
    expect(result).toMatchObject({ ok: false, code: 'invalid-payload' });
    expect(new Set(outcome(result) as string[])).toEqual(
      new Set([
        '/temperature must be <= 85',
        '/humidity must be a number',
        '/pressure is not registered',
        '/ts_ns is missing',
      ]),
    );
    expect(result).toHaveProperty('reason', expect.stringMatching(/; and 1 more$/));
  });

  it('names what an enum holds', () => {
    expect(outcome(send('alarms/a/b/smoke', `{"active":1,"severity":"some",${TIME}}`))).toEqual([
      '/active must be true or false',
      '/severity must be one of low, high, critical',
    ]);
  });

  it('rejects topics that nothing matches, and messages without a topic', () => {
    const unregistered = { ok: false, code: 'unregistered' };
    expect(send('sensors/a/b', '{}')).toMatchObject(unregistered);
    expect(send('sensors//b/climate', '{}')).toMatchObject(unregistered);
    expect(route(registry, undefined, {}, '{}')).toMatchObject(unregistered);
    expect(send('sensors/a/b\\/climate', `{"temperature":1,${TIME}}`)).toMatchObject({
      ...unregistered,
      reason: 'the tag "device" would end in a backslash, which InfluxDB cannot store',
    });
  });

  it('rejects what has not been verified', () => {
    const result = route(registry, 'sensors/a/b/climate', { temperature: 1, ts: 1, ts_ns: 0 }, undefined);
    expect(result).toMatchObject({ ok: false, code: 'unverified' });
  });

  it.each([null, undefined, 5, 'text', [], [1]])('rejects a payload that is %j', (payload) => {
    expect(outcome(route(registry, 'sensors/a/b/climate', payload, ''))).toEqual([' must be an object']);
  });

  it('gives each message tags of its own', () => {
    const [first, second] = [1, 2].map((value) => send('sensors/a/b/climate', `{"temperature":${value},${TIME}}`));
    if (!first?.ok || !second?.ok || first.point === undefined) throw new Error('rejected');
    first.point.tags['site'] = 'changed';
    expect(second.point?.tags['site']).toBe('a');
    expect(send('sensors/a/b/climate', `{"temperature":3,${TIME}}`)).toMatchObject({ point: { tags: { site: 'a' } } });
  });
});

describe('time', () => {
  const at = (ts: unknown, nanoseconds: unknown): unknown => {
    const payload = { value: 1, ts, ts_ns: nanoseconds };
    const result = route(registryOf(documentOf()), 't', payload, JSON.stringify(payload));
    return result.ok ? result.point?.time : result.faults?.[0]?.path;
  };

  it.each([
    [0, 0, '0'],
    [0, 7, '7'],
    [1, 0, '1000000000'],
    [1_790_000_000, 999_999_999, '1790000000999999999'],
    [9_223_372_036, 854_775_806, '9223372036854775806'],
  ])('%d s and %d ns', (ts, nanoseconds, time) => {
    expect(at(ts, nanoseconds)).toBe(time);
  });

  it.each([
    [9_223_372_036, 854_775_807],
    [9_223_372_037, 0],
    [-1, 0],
    [1.5, 0],
    [1, 1_000_000_000],
    [1, -1],
    ['1', 0],
    [1, true],
    [1, null],
  ])('%j s and %j ns are refused', (ts, nanoseconds) => {
    expect(at(ts, nanoseconds)).toBe('/ts');
  });
});

describe('integers', () => {
  const fields = { n: { type: 'integer' } };
  const send = (literal: string): unknown => outcome(routeBy({ fields }, `{"n":${literal},${TIME}}`));

  it.each([
    ['0', 0],
    ['-0', 0],
    ['10.0', 10],
    ['1e3', 1000],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['-9007199254740993', '-9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['1e18', '1000000000000000000'],
    ['9223372036854775.807e3', '9223372036854775807'],
    ['90071992547409930.0', '90071992547409930'],
  ])('%s keeps every digit', (literal, value) => {
    expect(send(literal)).toEqual({ n: { type: 'integer', value } });
  });

  it.each([
    '9223372036854775808',
    '-9223372036854775809',
    '1e19',
    '1e300',
    '9007199254740993.5',
    '900719925474099.35e1',
  ])('%s is refused', (literal) => {
    expect(send(literal)).toEqual([expect.stringMatching(/^\/n must be a whole number/)]);
  });

  it.each(['1.5', '"1"', 'true', 'null', '[]'])('%s is refused', (literal) => {
    expect(send(literal)).toEqual(['/n must be a whole number']);
  });

  it('refuses a big number that is not the signed one', () => {
    const registry = registryOf(documentOf({ fields }));
    const payload = { n: 2 ** 60, ts: 1, ts_ns: 0 };
    expect(outcome(route(registry, 't', payload, '{"n":1}'))).toEqual([
      expect.stringMatching(/^\/n is another number/),
    ]);
    expect(outcome(route(registry, 't', payload, ''))).toEqual([expect.stringMatching(/^\/n is another number/)]);
  });

  it('finds digits whatever stands around them', () => {
    const text = ' { "a" : {"n":1}, "b":[{"n":2}], "c":"\\"n\\":3", "\\u006e" :\n 12345678901234567890 }';
    expect(new Literals(text).of('n')).toBe('12345678901234567890');
    expect(new Literals('{"n":"5"}').of('n')).toBeUndefined();
    expect(new Literals('{"n"').of('n')).toBeUndefined();
  });

  it('reads numbers exactly', () => {
    expect(['0.0', '-0e5', '120e-1', '1e-1', '1.25e2', '1.25e1', 'x', '0e999999999999'].map(integerDigits)).toEqual([
      '0',
      '0',
      '12',
      undefined,
      '125',
      undefined,
      undefined,
      '0',
    ]);
    expect(integerDigits(`9${'0'.repeat(60_000)}e-59990`)).toBe('90000000000');
  });
});

describe('fields', () => {
  it.each([
    ['1e999', '/value must be a number'],
    ['"1"', '/value must be a number'],
    ['null', '/value must be a number'],
  ])('a float field refuses %s', (literal, fault) => {
    expect(outcome(routeBy({}, `{"value":${literal},${TIME}}`))).toEqual([fault]);
  });

  it.each([NaN, Infinity, -Infinity, 5n])('a float field refuses %s in a payload that a flow has changed', (value) => {
    const result = route(registryOf(documentOf()), 't', { value, ts: 1, ts_ns: 0 }, '{}');
    expect(outcome(result)).toEqual(['/value must be a number']);
  });

  it('checks every limit of strings', () => {
    const fields = { s: { type: 'string', minLength: 2, maxLength: 3, pattern: '^\\p{L}+$' } };
    const send = (text: string): unknown => outcome(routeBy({ fields }, JSON.stringify({ s: text, ts: 1, ts_ns: 0 })));
    expect(send('äöü')).toEqual({ s: { type: 'string', value: 'äöü' } });
    expect(send('x')).toEqual(['/s must have at least 2 characters']);
    expect(send('xxxx')).toEqual(['/s must have at most 3 characters']);
    expect(send('x1')).toEqual(['/s must match the pattern ^\\p{L}+$']);
  });

  it('refuses strings that InfluxDB would change or refuse', () => {
    const fields = { s: { type: 'string' } };
    const send = (s: string): unknown => outcome(routeBy({ fields }, JSON.stringify({ s, ts: 1, ts_ns: 0 })));
    expect(send('a\ud800b')).toEqual([expect.stringMatching(/^\/s holds half of a character/)]);
    expect(send('ä'.repeat(524_289))).toEqual(['/s must have at most 1 MiB']);
    expect(send('ä'.repeat(524_288))).toEqual({ s: { type: 'string', value: 'ä'.repeat(524_288) } });
    expect(send('a\n"😀\\')).toEqual({ s: { type: 'string', value: 'a\n"😀\\' } });
  });

  it('drops unlisted members when the topic says so', () => {
    expect(outcome(routeBy({ additional: 'drop' }, `{"value":1,"x":{"y":1},${TIME}}`))).toEqual({
      value: { type: 'float', value: 1 },
    });
    expect(outcome(routeBy({}, `{"value":1,"id":"x",${TIME}}`))).toEqual(['/id is not registered']);
  });

  it('takes names that every object has', () => {
    const fields = { constructor: { type: 'float' }, toString: { type: 'float', optional: true } };
    expect(outcome(routeBy({ fields }, `{"constructor":1,${TIME}}`))).toEqual({
      constructor: { type: 'float', value: 1 },
    });
    expect(outcome(routeBy({ fields }, `{"toString":1,${TIME}}`))).toEqual(['/constructor is missing']);
    expect(outcome(routeBy({}, `{"value":1,"__proto__":{},${TIME}}`))).toEqual(['/__proto__ is not registered']);
  });

  it('needs a field to store', () => {
    const fields = { a: { type: 'float', optional: true } };
    expect(outcome(routeBy({ fields }, `{${TIME}}`))).toEqual([' the payload has no field to store']);
  });

  it('shows at most 20 faults', () => {
    const payload = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x${index}`, 1]));
    expect(outcome(routeBy({}, JSON.stringify(payload)))).toHaveLength(20);
  });
});

describe('a JSON Schema', () => {
  const schema = {
    type: 'object',
    properties: {
      level: { $ref: '#/$defs/level' },
      count: { type: 'integer', minimum: 0 },
      on: { type: 'boolean' },
      note: { type: 'string' },
    },
    required: ['level'],
    additionalProperties: false,
    $defs: { level: { type: 'number', exclusiveMaximum: 10 } },
    dependentRequired: { count: ['on'] },
  };

  it('instead of fields: its properties are the fields, and it is enforced', () => {
    const send = (text: string): unknown => outcome(routeBy({ fields: undefined, schema }, text));
    expect(send(`{"level":1,"count":18014398509481985,"on":false,"note":"x",${TIME}}`)).toEqual({
      level: { type: 'float', value: 1 },
      count: { type: 'integer', value: '18014398509481985' },
      on: { type: 'boolean', value: false },
      note: { type: 'string', value: 'x' },
    });
    expect(send(`{"level":10,"count":1,${TIME}}`)).toEqual(['/level must be < 10', '/on is missing beside count']);
    expect(send(`{"level":1,"other":1,${TIME}}`)).toEqual(['/other is not registered']);
    expect(send(`{${TIME}}`)).toEqual(['/level is missing']);
  });

  it('beside fields: both count', () => {
    const members = { schema: { properties: { value: { multipleOf: 5 } } } };
    expect(outcome(routeBy(members, `{"value":10,${TIME}}`))).toEqual({ value: { type: 'float', value: 10 } });
    expect(outcome(routeBy(members, `{"value":11,${TIME}}`))).toEqual(['/value must be multiple of 5']);
    expect(outcome(routeBy(members, `{"other":11,${TIME}}`))).toHaveLength(2);
  });

  it('whose properties forbid what is not there needs no ts, ts_ns, id or expires', () => {
    const members = {
      kind: 'action',
      fields: undefined,
      schema: { properties: { level: { type: 'number' } }, unevaluatedProperties: false },
    };
    const result = routeBy(members, `{"level":1,"id":"a","expires":5,${TIME}}`);
    expect(outcome(result)).toEqual({ level: { type: 'float', value: 1 } });
  });

  it('that never ends is a fault of the payload, not an exception', () => {
    const members = { schema: { if: { required: ['value'] }, then: { $ref: '#' } } };
    expect(outcome(routeBy(members, `{"value":1,${TIME}}`))).toEqual([
      expect.stringMatching(/schema cannot be applied/),
    ]);
  });

  const faulty: readonly (readonly [string, object, string])[] = [
    ['a nested object', { properties: { a: { type: 'object' } } }, '/topics/t/schema/properties/a'],
    ['a list', { properties: { a: { type: 'array' } } }, '/topics/t/schema/properties/a'],
    ['two types', { properties: { a: { type: ['number', 'null'] } } }, '/topics/t/schema/properties/a'],
    ['no type', { properties: { a: { minimum: 1 } } }, '/topics/t/schema/properties/a'],
    [
      'a reference elsewhere',
      { properties: { a: { $ref: '#/properties/b' }, b: { type: 'number' } } },
      '/topics/t/schema/properties/a',
    ],
    ['a name that no field can have', { properties: { _a: { type: 'number' } } }, '/topics/t/schema/properties/_a'],
    ['no properties', { type: 'object' }, '/topics/t/schema'],
    ['empty properties', { properties: {} }, '/topics/t/schema/properties'],
    ['an unknown keyword', { properties: { a: { type: 'number', maximun: 1 } } }, '/topics/t/schema'],
    [
      'a reference to another file',
      { properties: { a: { type: 'number' } }, $ref: 'http://example.com/x' },
      '/topics/t/schema',
    ],
    [
      'another draft',
      { $schema: 'http://json-schema.org/draft-04/schema#', properties: { a: { type: 'number' } } },
      '/topics/t/schema',
    ],
  ];
  it.each(faulty)('with %s is a fault of the document', (_, own, path) => {
    expect(faultsOf(documentOf({ fields: undefined, schema: own })).map((fault) => fault.path)).toEqual([path]);
  });

  it('shared by several topics is compiled once', () => {
    const registry = registryOf(
      documentWith({
        a: topicWith(),
        b: topicWith(),
        c: topicWith({ fields: { value: { type: 'float', minimum: 0 } } }),
      }),
    );
    const [a, b, c] = registry.topics;
    expect(a?.format).toBe(b?.format);
    expect(c?.format).not.toBe(a?.format);
  });
});
