import { expect, it } from 'vitest';
import { parseDeviceKeyFile } from '../../nodes/iot-keyring/device-key-file';
import { loadRegistry } from '../../nodes/lib/registry/load';
import { nestsDeeper } from '../../nodes/lib/yaml-depth';

const DEEP = ['['.repeat(1000), '- '.repeat(1000), '{a: '.repeat(1000)];

it('tells deep texts from others', () => {
  for (const text of DEEP) expect(nestsDeeper(text, 64)).toBe(true);
  expect(nestsDeeper('a: { b: [1, 2] }\nc:\n  - d: 1\n', 8)).toBe(false);
});

// The second reading of such a text ended the process.
it.each(DEEP.map((text) => [text.slice(0, 8), text]))(
  '%s…: refused with a reason, however often it is read',
  (_, text) => {
    for (let time = 0; time < 5; time++) {
      expect(loadRegistry(text)).toMatchObject({ faults: [{ path: '' }] });
      expect(() => parseDeviceKeyFile(text, 'text')).toThrow('nested too deep');
    }
  },
);
