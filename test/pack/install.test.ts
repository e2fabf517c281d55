// The tarball in a fresh user directory, as the palette manager puts it there.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startNodeRed, type NodeRed, type Runtime } from '../support/node-red';
import { tempDirectory } from '../support/temp';
import { packTarball } from './tarball';

const tarball = packTarball();
const module = tarball.manifest.name;
const types = Object.keys(tarball.manifest['node-red']?.nodes ?? {});

async function startInstalled(runtime: Runtime): Promise<NodeRed> {
  const userDir = tempDirectory(`installed-${runtime}`);
  writeFileSync(join(userDir, 'package.json'), JSON.stringify({ name: 'node-red-project', private: true }));
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--omit=dev', tarball.file], {
    cwd: userDir,
    stdio: 'pipe',
  });
  expect(existsSync(join(userDir, 'node_modules', module, 'nodes'))).toBe(false);
  return startNodeRed({ runtime, userDir, pack: false });
}

interface NodeSet {
  module: string;
  name: string;
  enabled: boolean;
  err?: string;
  types: string[];
  version: string;
}

describe.each(['4', '5'] as const)('on Node-RED %s', (runtime) => {
  test('every node, icon, help, catalogue, example and resource is there', async () => {
    const nodeRed = await startInstalled(runtime);

    const sets = ((await nodeRed.get('nodes')).body as NodeSet[]).filter((set) => set.module === module);
    expect(sets.filter((set) => !set.enabled || set.err !== undefined)).toEqual([]);
    expect(sets.flatMap((set) => set.types).sort()).toEqual([...types].sort());
    expect(new Set(sets.map((set) => set.version))).toEqual(new Set([tarball.manifest.version]));

    const page = await fetch(`${nodeRed.url}/nodes`, { headers: { Accept: 'text/html', 'Accept-Language': 'en-US' } });
    const html = await page.text();
    for (const type of types) {
      expect(html).toContain(`data-template-name="${type}"`);
      expect(html).toContain(`data-help-name="${type}"`);
    }

    const icons = (await nodeRed.get('icons')).body as Record<string, string[]>;
    expect([...(icons[module] ?? [])].sort()).toEqual(types.map((type) => `${type}.svg`).sort());

    for (const type of types) {
      const catalogue = await nodeRed.get(`locales/${module}/${type}?lng=en-US`);
      expect(catalogue.body).toEqual(JSON.parse(tarball.read(`dist/${type}/locales/en-US/${type}.json`)));
    }

    const examples = tarball.files.filter((file) => file.startsWith('examples/') && file.endsWith('.json'));
    expect(examples.length).toBeGreaterThan(0);
    for (const file of examples) {
      const path = file.slice('examples/'.length, -'.json'.length);
      const shown = await nodeRed.get(`library/examples/flows/${module}/${encodeURI(path)}`);
      expect(shown.body, file).toEqual(JSON.parse(tarball.read(file)));
    }

    const schema = await nodeRed.get(`resources/${module}/registry.schema.json`);
    expect(schema.body).toEqual(JSON.parse(tarball.read('resources/registry.schema.json')));

    await nodeRed.stop();
    expect(nodeRed.log()).not.toContain('[error]');
  });
});
