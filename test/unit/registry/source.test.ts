import { describe, expect, it } from 'vitest';
import { readSource } from '../../../nodes/lib/registry/source';
import { EXAMPLE } from './example';
import { faultsOf, registryOf, seededRandom } from './support';

function firstFault(text: string): { path: string; reason: string; line?: number } | undefined {
  const source = readSource(text);
  return 'faults' in source ? source.faults[0] : undefined;
}

function valueOf(text: string): unknown {
  const source = readSource(text);
  if ('faults' in source) throw new Error(JSON.stringify(source.faults));
  return source.value;
}

describe('YAML', () => {
  it('with tabs for spaces: the line', () => {
    expect(firstFault('version: 1\nbuckets:\n\traw: 1')).toEqual({
      path: '',
      reason: 'line 3, column 1: Tabs are not allowed as indentation',
      line: 3,
    });
  });

  it('with a member twice: path and line', () => {
    const text = 'a: 1\nb:\n  x/y: 1\n  z: 2\n  x/y: 3\n';
    expect(firstFault(text)).toEqual({ path: '/b/x~1y', reason: 'is there twice', line: 5 });
  });

  it('with aliases: what they stand for', () => {
    expect(valueOf('a: &fields { x: 1 }\nb: *fields\nc: [*fields, *fields]')).toEqual({
      a: { x: 1 },
      b: { x: 1 },
      c: [{ x: 1 }, { x: 1 }],
    });
  });

  it('with an alias to nothing, or to itself: the line', () => {
    expect(firstFault('a: 1\nb: *c')).toMatchObject({ path: '/b', line: 2 });
    expect(firstFault('a: 1\nb: &b\n  - *b')).toMatchObject({ path: '/b/0', line: 3 });
  });

  it('with aliases that grow without end: refused before anybody walks through them', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let index = 1; index < 12; index += 1) {
      lines.push(`a${index}: &a${index} [${Array.from({ length: 9 }, () => `*a${index - 1}`).join(', ')}]`);
    }
    expect(firstFault(lines.join('\n'))?.reason).toMatch(/aliases/);
  });

  it('with aliases that nest too deep: refused', () => {
    const lines = ['a0: &a0 [x]'];
    for (let index = 1; index < 200; index += 1) lines.push(`a${index}: &a${index} [*a${index - 1}]`);
    expect(firstFault(lines.join('\n'))?.reason).toMatch(/too deep/);
  });

  it.each([
    ['two documents', 'a: 1\n---\nb: 2', /one YAML document/],
    ['an unknown tag', 'a: !!js/function x', /tag/i],
    ['a tag of YAML 1.1', '%YAML 1.1\n---\na: !!timestamp 2001-01-01', /tag/i],
    ['nesting without end', '['.repeat(50_000), /./],
    ['100 levels', `${'['.repeat(100)}${']'.repeat(100)}`, /too deep/],
    ['a key that is a list', '[a]: 1', /keys/],
  ])('with %s: refused', (_, text, reason) => {
    expect(firstFault(text)?.reason).toMatch(reason);
  });

  it('reads yes, no and dates as YAML 1.2 does, whatever the text says of itself', () => {
    expect(valueOf('%YAML 1.1\n---\na: yes\nb: 2001-01-01\n1: 2')).toEqual({ a: 'yes', b: '2001-01-01', 1: 2 });
  });
});

describe('JSON', () => {
  it('gives what the same text gives as YAML', () => {
    const json = JSON.stringify(valueOf(EXAMPLE), null, 2);
    expect(valueOf(json)).toEqual(valueOf(EXAMPLE));
    expect(registryOf(json).topics).toHaveLength(3);
  });

  it('with a member twice: path and line', () => {
    expect(firstFault('{\n "a": {"b": 1,\n "b": 2}}')).toEqual({ path: '/a/b', reason: 'is there twice', line: 3 });
  });

  it('with colons, quotes and __proto__ in its strings', () => {
    const text = '{"a\\":": "\\"b\\": 1", "__proto__": {"c\\\\": ":"}}';
    expect(valueOf(text)).toEqual(JSON.parse(text));
  });
});

describe('any text', () => {
  const PIECES = [
    '{',
    '}',
    '[',
    ']',
    ':',
    '\t',
    '\n',
    '  ',
    '&a ',
    '*a',
    '"',
    "'",
    '#',
    '!!',
    '|',
    '>',
    '---\n',
    '-',
    '%',
    '\0',
    '\ud800',
    '1e999',
    '.nan',
    '{x}',
    '__proto__',
    'null',
  ];

  function mutated(text: string, random: () => number): string {
    let changed = text;
    for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes -= 1) {
      const at = Math.floor(random() * changed.length);
      const piece = PIECES[Math.floor(random() * PIECES.length)] ?? '';
      const from = Math.floor(random() * changed.length);
      const copied = changed.slice(from, from + Math.floor(random() * 40));
      const removed = random() < 0.5 ? 0 : Math.floor(random() * 12);
      changed = changed.slice(0, at) + (random() < 0.7 ? piece : copied) + changed.slice(at + removed);
    }
    return changed;
  }

  it.each([
    ['YAML', EXAMPLE],
    ['JSON', JSON.stringify(valueOf(EXAMPLE), null, 1)],
  ])('that was %s: a registry, or faults with a reason; never an exception', (_, text) => {
    const random = seededRandom(20_261_124);
    let loaded = 0;
    for (let round = 0; round < 400; round += 1) {
      const faults = faultsOf(mutated(text, random));
      if (faults.length === 0) loaded += 1;
      for (const fault of faults) expect(fault.reason).not.toBe('');
    }
    // Some changes hit a comment or a space, most do not.
    expect(loaded).toBeGreaterThan(0);
    expect(loaded).toBeLessThan(200);
  });

  it.each([
    ['nothing', ''],
    ['spaces', ' \n\t\n'],
    ['a number', '5'],
    ['a text', 'hello'],
    ['a byte order mark', '\ufeff'],
    ['null bytes', '\0\0\0'],
    [
      'members of the wrong kind',
      '{"version":[],"buckets":{"a":null},"topics":{"t":null,"u":[],"v":{"fields":{"x":3}}}}',
    ],
    ['a list of topics', '{"version":1,"buckets":{},"topics":[]}'],
  ])('%s: faults', (_, text) => {
    expect(faultsOf(text).length).toBeGreaterThan(0);
  });
});
