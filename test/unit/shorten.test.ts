import { describe, expect, it } from 'vitest';
import { quoted, shorten } from '../../nodes/lib/shorten';

describe('texts of others', () => {
  it('stay as they are while they are short', () => {
    expect(shorten('hall/d1', 7)).toBe('hall/d1');
    expect(quoted('hall/d1')).toBe('"hall/d1"');
  });

  it('are cut to a length, a character never in two', () => {
    expect(shorten('x'.repeat(65_535), 80)).toBe(`${'x'.repeat(79)}…`);
    expect(shorten('xx😀xx', 4)).toBe('xx…');
    expect(shorten('xx😀xx', 5)).toBe('xx😀…');
  });

  it('cannot pass for a line of the log', () => {
    expect(quoted('a\n1 Dec - [error] all is lost')).toBe('"a\\n1 Dec - [error] all is lost"');
  });
});
