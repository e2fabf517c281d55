import { describe, expect, it } from 'vitest';
import { LinearPattern, patternOf, whyNotLinear } from '../../../nodes/lib/registry/linear-pattern';
import { parsePattern } from '../../../nodes/lib/registry/pattern-syntax';
import { seededRandom } from './support';

/** Texts on which the two ways are compared. */
const TEXTS = [
  '',
  'a',
  'b',
  'ab',
  'ba',
  'aab',
  'abab',
  'a b',
  'ä',
  '😀',
  'a😀b',
  '\n',
  'a\nb',
  '_',
  '0',
  'a0_',
  'A-b.c',
];

const PATTERNS = [
  '',
  'a',
  '^a$',
  'a|b',
  '^(a|b)*$',
  '^(?:ab)+$',
  '^(?<name>a)?b$',
  '^a{2}b{1,}$',
  '^.{1,2}$',
  '^[^a-z]+$',
  '^[\\w\\-.]+$',
  '\\bb',
  'a\\B',
  '^\\p{L}+$',
  '^\\u{1F600}$',
  '\\ud83d\\ude00',
  '^(a+)+$',
  '^(a|aa)*b?$',
  '(|a)*b',
  '^(?:(?:a?){3}){2}$',
  '[0-9]+$',
  '^\\S+ ?\\S*$',
  'b$|^a',
];

describe('a pattern in linear time', () => {
  it.each(PATTERNS)('finds what JavaScript finds: %s', (pattern) => {
    const linear = new LinearPattern(pattern);
    const own = new RegExp(pattern, 'u');
    for (const text of TEXTS) {
      expect(linear.test(text), JSON.stringify(text)).toBe(own.test(text));
      expect(patternOf(pattern).test(text), JSON.stringify(text)).toBe(own.test(text));
    }
  });

  it('finds what JavaScript finds, for 2,000 patterns made at random', () => {
    const random = seededRandom(20_261_201);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const part = (depth: number): string => {
      const kind = depth === 0 ? 0 : Math.floor(random() * 4);
      if (kind === 0) return pick(['a', 'b', '[ab]', '.', '\\w', '^', '$', '\\b', '[^a]']);
      if (kind === 1) return `(?:${part(depth - 1)}|${part(depth - 1)})`;
      if (kind === 2) return part(depth - 1) + part(depth - 1);
      return `(?:${part(depth - 1)})${pick(['*', '+', '?', '{2}', '{1,3}', '*?'])}`;
    };
    for (let round = 0; round < 2_000; round += 1) {
      const pattern = part(3);
      const own = new RegExp(pattern, 'u');
      const linear = new LinearPattern(pattern, parsePattern(pattern));
      for (const text of ['', 'a', 'ab', 'ba', 'aabba', 'b\na', 'a b']) {
        expect(linear.test(text), `${pattern} on ${JSON.stringify(text)}`).toBe(own.test(text));
      }
    }
  });

  it.each([
    ['^(a+)+$', `${'a'.repeat(60_000)}b`],
    ['^(a|aa)+$', `${'a'.repeat(60_000)}b`],
    ['a+$', `${'a'.repeat(60_000)}b`],
    ['^(.*,){11}P', '1,'.repeat(30_000)],
    ['(x+x+)+y', 'x'.repeat(60_000)],
  ])('%s: what a text costs grows with its length and no faster', (pattern, text) => {
    const linear = new LinearPattern(pattern);
    expect(linear.test(text)).toBe(false);
    const whole = linear.steps;
    linear.test(text.slice(0, text.length / 2));
    expect(whole).toBeLessThan(2.5 * linear.steps);
    expect(whole).toBeLessThan(60 * text.length);
    expect(patternOf(pattern).test(text)).toBe(false);
  });

  it.each(['^[a-z0-9-]{1,32}$', '^ID-[0-9]+$', '^(?:on|off)$', '^[0-9a-f]{5000}$'])(
    '%s: left to JavaScript, which needs no more and is faster',
    (pattern) => {
      expect(patternOf(pattern)).toBeInstanceOf(RegExp);
      expect(whyNotLinear(pattern)).toBeUndefined();
    },
  );

  it.each([
    ['^(?!test)[a-z]+$', /looks ahead/],
    ['(a)\\1', /refers back/],
    ['(?:[a-z]+){900}', /too large/],
    ['(?:(?:(?:){1000}){1000}){1000}', /too large/],
    ['(?:){1000000000}a+a+', /too large/],
    [`${'(?:'.repeat(600)}a${')+'.repeat(600)}`, /more than 1000 characters/],
  ])('%s: told that it is not', (pattern, reason) => {
    expect(whyNotLinear(pattern)).toMatch(reason);
    expect(patternOf(pattern)).toBeInstanceOf(RegExp);
  });
});
