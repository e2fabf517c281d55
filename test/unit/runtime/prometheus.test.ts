import { describe, expect, it } from 'vitest';
import { prometheusText } from '../../../nodes/lib/runtime/prometheus';

describe('the Prometheus text format', () => {
  it('writes a heading and a line for each sample', () => {
    const text = prometheusText([
      {
        name: 'm_total',
        help: 'What it counts',
        type: 'counter',
        samples: [{ labels: { node: 'a', code: 'b' }, value: 3 }],
      },
    ]);
    expect(text).toBe('# HELP m_total What it counts\n# TYPE m_total counter\nm_total{node="a",code="b"} 3\n');
  });

  it('joins the samples of one metric under one heading, wherever they come from', () => {
    const metric = { name: 'm', help: 'h', type: 'gauge' as const };
    const text = prometheusText([
      { ...metric, samples: [{ labels: { node: 'a' }, value: 1 }] },
      { name: 'other', help: 'h', type: 'gauge', samples: [{ labels: {}, value: 0 }] },
      { ...metric, samples: [{ labels: { node: 'b' }, value: 2 }] },
    ]);
    expect(text.match(/# TYPE m gauge/g)).toHaveLength(1);
    expect(text).toContain('m{node="a"} 1\nm{node="b"} 2\n');
    expect(text).toContain('other 0\n');
  });

  it('escapes what a label may hold', () => {
    const text = prometheusText([
      { name: 'm', help: 'a\nb\\c', type: 'gauge', samples: [{ labels: { l: 'q"b\\n\n' }, value: 1 }] },
    ]);
    expect(text).toBe('# HELP m a\\nb\\\\c\n# TYPE m gauge\nm{l="q\\"b\\\\n\\n"} 1\n');
  });

  it('leaves a metric without samples out', () => {
    expect(prometheusText([{ name: 'm', help: 'h', type: 'gauge', samples: [] }])).toBe('');
  });
});
