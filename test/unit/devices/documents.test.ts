import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRegistry } from '../../../nodes/lib/registry/load';

const root = join(__dirname, '../../..');
const documents = [
  'docs/devices.md',
  'examples/compose/README.md',
  ...['python', 'micropython', 'arduino'].map((language) => `examples/devices/${language}/README.md`),
];

describe.each(documents)('%s', (document) => {
  const text = readFileSync(join(root, document), 'utf8');

  it('links to files that exist and to headings of its own', () => {
    const targets = [...text.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? '');
    const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(
      (match) =>
        `#${(match[1] ?? '')
          .toLowerCase()
          .replace(/[^\w\s-]/g, '')
          .replaceAll(' ', '-')}`,
    );
    const broken = targets.filter((target) =>
      target.startsWith('#') ? !headings.includes(target) : !existsSync(join(root, dirname(document), target)),
    );
    expect(broken).toEqual([]);
  });
});

describe('the devices', () => {
  it('fit the registry of the example beside them', () => {
    const flow = JSON.parse(
      readFileSync(join(root, 'examples/devices/python/01 - Check the messages of a device.json'), 'utf8'),
    ) as { type: string; document?: string }[];
    const loaded = loadRegistry(flow.find(({ type }) => type === 'iot-registry')?.document ?? '');
    if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
    expect(loaded.registry.match('sensors/house/kitchen/climate')).toMatchObject({
      kind: 'sensor',
      device: 'house/kitchen',
    });
  });

  it.each(['micropython', 'arduino'])('in %s have no placeholder that is a key', (language) => {
    const text = readFileSync(join(root, `examples/devices/${language}/README.md`), 'utf8');
    const [, placeholder = ''] = /KEY\b.*?"(.*?)"/.exec(text) ?? [];
    expect(placeholder).not.toBe('');
    expect(Buffer.from(placeholder, 'base64').toString('base64')).not.toBe(placeholder);
  });
});
