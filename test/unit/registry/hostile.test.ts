import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STARTER_DOCUMENT } from '../../../nodes/lib/editor/registry-starter';
import { integerDigits } from '../../../nodes/lib/registry/digits';
import { loadRegistry, readDocument, registryOf as registryOfValue } from '../../../nodes/lib/registry/load';
import { LONGEST_DOCUMENT } from '../../../nodes/lib/registry/source';
import { EXAMPLE } from './example';
import { documentOf, documentWith, faultsOf, routeBy, topicWith } from './support';

/**
 * Milliseconds that none of these may take on the slowest machine; what grows faster than its text takes minutes for texts
 * of this size.
 */
const NEVER = 20_000;

describe('what a registered device sends', () => {
  it(
    'digits are counted once each',
    () => {
      const zeros = '0'.repeat(4_000_000);
      expect(integerDigits(`1${zeros}1e-4000001`)).toBeUndefined();
      expect(integerDigits(`1${zeros}e-4000000`)).toBe('1');
    },
    NEVER,
  );

  it(
    'a text is read once, however many integers of it are too big for a number',
    () => {
      const names = Array.from({ length: 2000 }, (_, index) => `n${index}`);
      const fields = Object.fromEntries(names.map((name) => [name, { type: 'integer' }]));
      const members = names.map((name) => `"${name}":9007199254740993`).join();
      const routed = routeBy({ fields }, `{"ts":1760000000,"ts_ns":0,${members}}`);
      expect(routed.ok && routed.point?.fields['n1999']).toEqual({ type: 'integer', value: '9007199254740993' });
    },
    NEVER,
  );

  it(
    'of a hundred thousand faults twenty are told, with short paths',
    () => {
      const unlisted = Array.from({ length: 100_000 }, (_, index) => `"m${index}":1`).join();
      const schema = { type: 'object', maxProperties: 1, additionalProperties: { type: 'string' } };
      const text = `{"ts":1760000000,"ts_ns":0,"value":1,"${'x'.repeat(60_000)}":1,${unlisted}}`;
      const routed = routeBy({ schema }, text);
      expect(routed).toMatchObject({ ok: false, code: 'invalid-payload' });
      if (routed.ok) return;
      expect(routed.faults).toHaveLength(20);
      expect(routed.faults?.every(({ path }) => path.length <= 1000)).toBe(true);
      expect(routed.reason.length).toBeLessThan(1000);
    },
    NEVER,
  );

  it(
    'patterns do not explode, neither of fields nor of a schema',
    () => {
      const text = JSON.stringify({ ts: 1_760_000_000, ts_ns: 0, value: `${'a'.repeat(50_000)}!` });
      const pattern = '^(a+)+$';
      expect(routeBy({ fields: { value: { type: 'string', pattern } } }, text)).toMatchObject({ ok: false });
      const schema = { type: 'object', patternProperties: { '^(v+)+alue$': { pattern } } };
      expect(routeBy({ fields: { value: { type: 'string' } }, schema }, text)).toMatchObject({ ok: false });
    },
    NEVER,
  );

  it(
    'a list is looked through once for what is there twice',
    () => {
      const schema = { properties: { value: {}, list: { uniqueItems: true } } };
      const route = (list: unknown[]) =>
        routeBy(
          { fields: { value: { type: 'float' } }, schema, additional: 'drop' },
          JSON.stringify({ ts: 1_760_000_000, ts_ns: 0, value: 1, list }),
        );
      const list: unknown[] = Array.from({ length: 100_000 }, (_, index) => ({ a: [index], b: 1 }));
      expect(route(list)).toMatchObject({ ok: true });
      const twice = route([...list, { b: 1, a: [99_999] }]);
      expect(!twice.ok && twice.faults).toEqual([{ path: '/list', reason: 'must not hold a value twice' }]);
    },
    NEVER,
  );
});

describe('a document that somebody has checked', () => {
  it(
    'with a hundred thousand faults: a hundred are told, the last of them that there are more',
    () => {
      const topics = Object.fromEntries(
        Array.from({ length: 20_000 }, (_, index) => [`t${index}`, { typ: 'float', name: 'x' }]),
      );
      const faults = faultsOf(documentWith(topics));
      expect(faults).toHaveLength(100);
      expect(faults.at(-1)).toEqual({ path: '', reason: 'and more: the first 99 are told' });
      expect(faults.slice(0, 99).every(({ line }) => line === 1)).toBe(true);
    },
    NEVER * 3,
  );

  it(
    'with fifty thousand faults in one topic: the first is told',
    () => {
      const fields = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`f${index}`, { typ: 'float' }]));
      expect(faultsOf(documentOf({ fields }))).toHaveLength(1);
    },
    NEVER,
  );

  it('with a hundred thousand members that are there twice: a hundred are told', () => {
    expect(faultsOf(`a: 1\n${'x: 1\n'.repeat(10_000)}`).length).toBeLessThanOrEqual(100);
  });

  it('that is too long: not even read', () => {
    expect(faultsOf('#'.repeat(LONGEST_DOCUMENT + 1))).toEqual([
      { path: '', reason: `the document has more than ${LONGEST_DOCUMENT} characters` },
    ]);
  });

  it('can be read in one thread and made a registry of in another', () => {
    const read = readDocument(JSON.stringify(documentOf()));
    if ('faults' in read) throw new Error(JSON.stringify(read.faults));
    const registry = registryOfValue(structuredClone(read.value));
    expect(registry.match('t')?.entry.measurement).toBe('m');
    expect(read.topics).toBe(1);
  });
});

describe('warnings', () => {
  function warningsOf(document: unknown): [path: string, reason: string][] {
    const loaded = loadRegistry(typeof document === 'string' ? document : JSON.stringify(document));
    if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
    return loaded.warnings.map(({ path, reason }) => [path, reason]);
  }

  it('none for what this project shows as an example', () => {
    const compose = readFileSync(join(__dirname, '../../../README.md'), 'utf8');
    const documents = [...compose.matchAll(/```yaml\n(version: 1\n[^]*?)```/g)].map(([, document = '']) => document);
    expect(documents.length).toBeGreaterThan(0);
    for (const document of [EXAMPLE, STARTER_DOCUMENT, ...documents]) expect(warningsOf(document)).toEqual([]);
  });

  it.each([
    ['has no active', { fields: { value: { type: 'float' } } }, '/fields', /no boolean "active"/],
    ['has an active that is no boolean', { fields: { active: { type: 'string' } } }, '/fields/active', /no boolean/],
    [
      'has a schema without active',
      { fields: undefined, schema: { properties: { text: { type: 'string' } } } },
      '/schema/properties',
      /no boolean "active"/,
    ],
  ])('an alarm topic that %s, which is stored and never is an alarm', (_, members, path, reason) => {
    const [[where, why] = []] = warningsOf(documentOf({ kind: 'alarm', ...members }));
    expect(where).toBe(`/topics/t${path}`);
    expect(why).toMatch(reason);
  });

  it('a capture that tells devices apart and is in no tag', () => {
    const topics = {
      'sensors/{site}/{device}/climate': topicWith({ device: '{site}/{device}', tags: { site: '{site}' } }),
    };
    expect(warningsOf(documentWith(topics))).toEqual([
      [
        '/topics/sensors~1{site}~1{device}~1climate/tags',
        'do not have {device}, which tells devices apart: their points overwrite each other',
      ],
    ]);
  });

  it('two topics that write one field of one series', () => {
    const tags = { device: '{d}' };
    const warnings = warningsOf(
      documentWith({
        'a/{d}': topicWith({ tags }),
        'b/{e}': topicWith({ tags: { device: '{e}' } }),
        'c/{d}': topicWith({ tags, measurement: 'other' }),
        'd/{d}': topicWith({ tags, fields: { another: { type: 'float' } } }),
        'e/{d}': topicWith({ tags: { ...tags, kind: 'e' } }),
      }),
    );
    expect(warnings).toEqual([
      ['/topics/b~1{e}/measurement', expect.stringMatching(/"value" of the same series as topic a\/\{d\}/) as string],
    ]);
  });

  it('a pattern that can take for ever, of a field or in a schema, and a schema that refers to itself', () => {
    const pattern = '^(?!a)(b+)+$';
    const node = { type: 'object', properties: { next: { $ref: '#/$defs/node' } } };
    const warnings = warningsOf(
      documentOf({
        fields: { value: { type: 'string', pattern }, simple: { type: 'string', pattern: '^(a+)+$', optional: true } },
        schema: { properties: { value: { pattern } }, patternProperties: { [pattern]: true }, $defs: { node } },
      }),
    );
    expect(warnings.map(([path]) => path)).toEqual([
      '/topics/t/fields/value/pattern',
      `/topics/t/schema/patternProperties/${pattern}`,
      '/topics/t/schema/properties/value/pattern',
      '/topics/t/schema',
    ]);
    const shared = {
      $defs: { a: { $ref: '#/$defs/b' }, b: { type: 'number' } },
      properties: { value: { $ref: '#/$defs/a' } },
    };
    expect(warningsOf(documentOf({ schema: shared }))).toEqual([]);
  });
});
