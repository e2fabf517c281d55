import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../../nodes/lib/registry/filters';
import type { FilterLevel, TopicFilter } from '../../../nodes/lib/registry/filters';
import { BoundedCache } from '../../../nodes/lib/bounded-cache';
import { TopicTree } from '../../../nodes/lib/registry/topic-tree';
import { documentWith, matchOf, registryOf, seededRandom, topicWith } from './support';

describe('topic filters', () => {
  it.each([
    ['', /empty/],
    ['a/#/b', /last level/],
    ['a/b#', /whole level/],
    ['a/+b', /whole level/],
    ['a/x{b}', /whole level/],
    ['a/{}', /whole level/],
    ['a/{1a}', /whole level/],
    ['a/{b', /whole level/],
    ['{a}/{a}', /\{a\} twice/],
    ['a\0', /U\+0000/],
    ['$share/group/a', /subscribe/],
    ['a/'.repeat(128), /more than 128 levels/],
    ['ä'.repeat(32_768), /longer than 65535 bytes/],
  ])('%j is none', (text, reason) => {
    expect(parseFilter(text)).toMatch(reason);
  });

  it.each(['a', '/', 'a//b', '$SYS/broker', '+', '#', '/#', '{a}/+/{b}/#', 'a b/ü', `${'a/'.repeat(127)}b`])(
    '%j is one',
    (text) => {
      expect(parseFilter(text)).toMatchObject({ text });
    },
  );
});

/** Which of these topics the only filter of a registry matches. */
function matched(filter: string, topics: readonly string[]): string[] {
  const registry = registryOf(documentWith({ [filter]: topicWith() }));
  return topics.filter((topic) => registry.match(topic) !== undefined);
}

describe('matching', () => {
  const TOPICS = ['a', 'a/', 'a/b', 'a/b/', 'a//b', 'a/b/c', '/a', '', '$a', '$a/b', 'a/+', 'a/{x}', 'A/b'];

  it.each([
    ['a/b', ['a/b']],
    ['a/{x}', ['a/b', 'a/+', 'a/{x}']],
    ['a/+', ['a/', 'a/b', 'a/+', 'a/{x}']],
    ['a/#', ['a', 'a/', 'a/b', 'a/b/', 'a//b', 'a/b/c', 'a/+', 'a/{x}']],
    ['+/b', ['a/b', 'A/b']],
    ['{x}/b', ['a/b', 'A/b']],
    ['#', TOPICS.filter((topic) => !topic.startsWith('$'))],
    ['$a/#', ['$a', '$a/b']],
    ['+/+/+', ['a/b/', 'a//b', 'a/b/c']],
  ])('%s', (filter, expected) => {
    expect(matched(filter, TOPICS)).toEqual(expected);
  });

  it('prefers literal to capture to + to #, from the first level on', () => {
    const filters = ['a/b/c', 'a/b/{x}', 'a/{x}/c', 'a/+/c', '{x}/b/c', '+/b/c', 'a/#', '#'];
    const registry = registryOf(documentWith(Object.fromEntries(filters.map((filter) => [filter, topicWith()]))));
    const winner = (topic: string): string => matchOf(registry, topic).entry.filter;
    expect(['a/b/c', 'a/b/d', 'a/x/c', 'a//c', 'x/b/c', '/b/c', 'a/x/y', 'x'].map(winner)).toEqual(filters);
  });

  it('goes back to a less specific level when the more specific one leads nowhere', () => {
    const registry = registryOf(documentWith({ 'a/b/c': topicWith(), 'a/{x}/{y}/d': topicWith(), '#': topicWith() }));
    expect(matchOf(registry, 'a/b/c/d').entry.filter).toBe('a/{x}/{y}/d');
    expect(matchOf(registry, 'a/b/c/e').entry.filter).toBe('#');
  });

  it('gives the same answer again, for topics that match and for others', () => {
    const registry = registryOf(documentWith({ 'a/{x}': topicWith({ tags: { x: '{x}' } }) }));
    const first = registry.match('a/1');
    expect(registry.match('a/1')).toBe(first);
    expect(matchOf(registry, 'a/2').tags).toEqual({ x: '2' });
    expect([registry.match('b'), registry.match('b')]).toEqual([undefined, undefined]);
  });

  it.each([
    'a b',
    'a,b=c',
    '"q"',
    "'",
    'ü😀',
    '{x}',
    '{',
    '\\n',
    'a\\b',
    ' ',
    '\t',
    '__proto__',
    'constructor',
    '$x',
    '%00',
  ])('captures %j as it is', (level) => {
    const registry = registryOf(
      documentWith({ 's/{x}/e': topicWith({ device: 'd/{x}', tags: { constructor: '{x}', twice: '<{x}{x}>' } }) }),
    );
    const match = matchOf(registry, `s/${level}/e`);
    expect(match.device).toBe(`d/${level}`);
    expect({ ...match.tags }).toEqual({ constructor: level, twice: `<${level}${level}>` });
    expect(match.fault).toBeUndefined();
  });

  it('says when a capture cannot be a tag, but still knows the device', () => {
    const registry = registryOf(
      documentWith({
        '{x}': topicWith({ device: '{x}', tags: { a: '{x}' } }),
        'b/{x}': topicWith({ tags: { a: '{x}.' } }),
      }),
    );
    expect(matchOf(registry, 'x\\')).toMatchObject({
      device: 'x\\',
      fault: expect.stringMatching(/backslash/) as string,
    });
    expect(matchOf(registry, 'x\ny')).toMatchObject({ fault: expect.stringMatching(/line break/) as string });
    expect(matchOf(registry, 'b/x\\').fault).toBeUndefined();
  });

  it('takes topics called like members of every object', () => {
    const registry = registryOf(
      `{"version":1,"buckets":{"raw":{"retention":"1d"}},"topics":{"__proto__":${JSON.stringify(topicWith())},"constructor":${JSON.stringify(topicWith())}}}`,
    );
    expect(registry.match('__proto__')).toBeDefined();
    expect(registry.match('constructor')).toBeDefined();
    expect(registry.match('toString')).toBeUndefined();
  });
});

describe('the tree', () => {
  const RANKS = ['literal', 'capture', 'any', 'rest'];

  function matches(levels: readonly FilterLevel[], topic: readonly string[]): boolean {
    const rest = levels.at(-1)?.sort === 'rest';
    const fixed = rest ? levels.slice(0, -1) : levels;
    if (rest ? topic.length < fixed.length : topic.length !== fixed.length) return false;
    if (topic[0]?.startsWith('$') && levels[0]?.sort !== 'literal') return false;
    return fixed.every((level, index) => {
      if (level.sort === 'literal') return level.text === topic[index];
      return level.sort === 'any' || topic[index] !== '';
    });
  }

  /** Negative when the first filter is more specific; a filter that ends comes before one that goes on with #. */
  function compare(a: readonly FilterLevel[], b: readonly FilterLevel[]): number {
    for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
      const difference = RANKS.indexOf(a[index]?.sort ?? '') - RANKS.indexOf(b[index]?.sort ?? '');
      if (difference !== 0) return difference;
    }
    return 0;
  }

  it('finds what a look at every filter finds', () => {
    const random = seededRandom(7);
    const pick = <Item>(items: readonly [Item, ...Item[]]): Item =>
      items[Math.floor(random() * items.length)] ?? items[0];
    let found = 0;
    for (let round = 0; round < 60; round += 1) {
      const filters = new Map<string, TopicFilter>();
      for (let count = 1 + random() * 40; count > 0; count -= 1) {
        const levels = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, index) =>
          pick(['a', 'b', '', '$c', '+', `{x${index}}`]),
        );
        if (random() < 0.25) levels.push('#');
        const filter = parseFilter(levels.join('/'));
        // One level that is empty is an empty filter.
        if (typeof filter !== 'string') filters.set(filter.shape, filter);
      }
      const tree = new TopicTree<string>();
      for (const filter of filters.values()) tree.add(filter.levels, filter.text);
      for (let look = 0; look < 200; look += 1) {
        const topic = Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(['a', 'b', '', '$c', 'd']));
        const candidates = [...filters.values()].filter(({ levels }) => matches(levels, topic));
        const expected = candidates.sort((a, b) => compare(a.levels, b.levels))[0]?.text;
        expect(tree.find(topic)).toBe(expected);
        if (expected !== undefined) found += 1;
      }
    }
    expect(found).toBeGreaterThan(3_000);
  });
});

describe('the cache', () => {
  it('never holds more than two generations', () => {
    const cache = new BoundedCache<number>(10, 1_000);
    for (let index = 0; index < 1_000; index += 1) {
      cache.set(`t${index}`, index);
      expect(cache.size).toBeLessThanOrEqual(20);
      expect(cache.get(`t${index}`)).toBe(index);
    }
  });

  it('keeps what is used, drops what is not', () => {
    const cache = new BoundedCache<number>(10, 1_000);
    cache.set('used', 1);
    cache.set('unused', 2);
    for (let index = 0; index < 100; index += 1) {
      cache.set(`t${index}`, index);
      expect(cache.get('used')).toBe(1);
    }
    expect(cache.get('unused')).toBeUndefined();
  });

  it('holds fewer of long topics', () => {
    const cache = new BoundedCache<number>(1_000, 5_000);
    for (let index = 0; index < 1_000; index += 1) cache.set(`${'x'.repeat(1_000)}${index}`, index);
    expect(cache.size).toBeLessThanOrEqual(10);
  });
});
