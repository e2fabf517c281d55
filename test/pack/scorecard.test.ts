// The flow library's scorecard (node-red-dev), as far as it can be judged without asking its servers.
import { dirname } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { definitionsOf, scriptsOf, type Definition } from './definitions';
import { packTarball, type Tarball } from './tarball';

let tarball: Tarball;
let definitions: Definition[];

beforeAll(() => {
  tarball = packTarball();
  definitions = Object.values(tarball.manifest['node-red']?.nodes ?? {}).flatMap((file) =>
    scriptsOf(tarball.read(file.replace('.js', '.html'))).flatMap(definitionsOf),
  );
});

/** Whether `>=a.b.c`, the only form we use, admits a version. */
function admits(range: string | undefined, version: string): boolean {
  const least = /^>=\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(range ?? '');
  if (!least) return false;
  const numbers = version.split('.').map(Number);
  for (const [index, number] of numbers.entries()) {
    const wanted = Number(least[index + 1] ?? 0);
    if (number !== wanted) return number > wanted;
  }
  return true;
}

describe('package', () => {
  test('P01: has a licence', () => {
    expect(tarball.manifest.license).toBe('MIT');
  });

  test('P03: says where its source and its bugs are', () => {
    expect(tarball.manifest.repository?.url).toMatch(/^git\+https:/);
    expect(tarball.manifest.bugs?.url).toMatch(/^https:/);
  });

  test('P04: is named as packages for Node-RED are', () => {
    expect(tarball.manifest.name).toMatch(/^(@[a-z0-9-]+\/|node-red-contrib-)/);
  });

  test('P05: has the keyword node-red', () => {
    expect(tarball.manifest.keywords).toContain('node-red');
  });

  test('P06: says which Node-RED it needs, and 4.1 and 5 are among them', () => {
    const range = tarball.manifest['node-red']?.version;
    expect(['4.1.0', '4.1.15', '5.0.7'].filter((version) => !admits(range, version))).toEqual([]);
    expect(admits(range, '4.0.9')).toBe(false);
  });

  test('P07: says which Node.js it needs, and the least that Node-RED 5 needs is enough', () => {
    const range = tarball.manifest.engines?.node;
    expect(admits(range, '22.9.0')).toBe(true);
    expect(admits(range, '18.20.0')).toBe(false);
  });

  test('D01: has at most six dependencies', () => {
    expect(Object.keys(tarball.manifest.dependencies ?? {}).length).toBeLessThanOrEqual(6);
  });

  test('D02: depends on nothing known to be bad', () => {
    expect(Object.keys(tarball.manifest.dependencies ?? {})).not.toContain('agent-base');
  });

  test('runs nothing of ours when it is installed', () => {
    const scripts = Object.keys(tarball.manifest.scripts ?? {});
    expect(scripts.filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });
});

describe('nodes', () => {
  test('every set of nodes is one type, with its files beside each other', () => {
    for (const [set, file] of Object.entries(tarball.manifest['node-red']?.nodes ?? {})) {
      const folder = dirname(file);
      expect(tarball.files).toContain(file);
      expect(tarball.files).toContain(`${folder}/${set}.html`);
      expect(tarball.files).toContain(`${folder}/icons/${set}.svg`);
      expect(tarball.files).toContain(`${folder}/locales/en-US/${set}.json`);
      expect(tarball.files).toContain(`${folder}/locales/en-US/${set}.html`);
    }
    expect(definitions.map(({ type }) => type).sort()).toEqual(
      Object.keys(tarball.manifest['node-red']?.nodes ?? {}).sort(),
    );
  });

  test('the parser of the flow library finds all it looks for', () => {
    for (const definition of definitions) {
      expect(definition.defaults, definition.type).toContain('name');
      expect(definition.icon).toBe(`${definition.type}.svg`);
      expect(['config', 'mqtt2influx']).toContain(definition.category);
      if (definition.category === 'config') continue;
      expect(definition.color).toMatch(/^#[0-9A-F]{6}$/);
      expect(definition.inputs).toBe(1);
      expect(definition.outputs).toBeGreaterThan(0);
    }
  });

  test('N02: every node has an example, and every example is a list of nodes', () => {
    const examples = tarball.files.filter((file) => file.startsWith('examples/') && file.endsWith('.json'));
    const used = new Set<string>();
    for (const example of examples) {
      const flow: unknown = JSON.parse(tarball.read(example));
      expect(Array.isArray(flow), example).toBe(true);
      for (const { type } of flow as { type: string }[]) used.add(type);
    }
    const placed = definitions.filter(({ category }) => category !== 'config').map(({ type }) => type);
    expect(placed.filter((type) => !used.has(type))).toEqual([]);
  });
});

describe('contents', () => {
  test('what a user needs is in it', () => {
    for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'resources/registry.schema.json']) {
      expect(tarball.files).toContain(file);
    }
  });

  test('nothing else is', () => {
    const allowed = /^(dist|examples|resources)\/|^(README\.md|LICENSE|CHANGELOG\.md|package\.json)$/;
    expect(tarball.files.filter((file) => !allowed.test(file))).toEqual([]);
    expect(
      tarball.files.filter((file) =>
        /\.(ts|map|tsbuildinfo|pyc)$|(^|\/)(\.(?!env\.example$)|node_modules\/)/.test(file),
      ),
    ).toEqual([]);
  });
});
