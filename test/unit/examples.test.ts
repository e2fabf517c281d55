import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRegistry } from '../../nodes/lib/registry/load';

interface ExampleNode {
  id: string;
  type: string;
  z?: string;
  document?: string;
  wires?: string[][];
  registry?: string;
  keyring?: string;
  server?: string;
  broker?: string;
}

const folder = join(__dirname, '../../examples');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
const read = (file: string): ExampleNode[] => JSON.parse(readFileSync(join(folder, file), 'utf8')) as ExampleNode[];

const CORE = ['tab', 'comment', 'inject', 'debug', 'catch', 'function', 'mqtt in', 'mqtt out', 'mqtt-broker'];
const OURS = [
  ...['iot-registry', 'iot-keyring', 'influx-server', 'hmac-verify', 'registry-route', 'influx-write'],
  ...['influx-provision', 'influx-aggregate', 'influx-backup'],
  ...['alarm-state', 'iot-sign-publish'],
];

/** Whoever imports two examples is to have one of each, not two queues for one InfluxDB. */
const SHARED = ['iot-registry', 'iot-keyring', 'influx-server', 'mqtt-broker'];

describe('examples', () => {
  it('show every node', () => {
    const types = new Set(files.flatMap(read).map((node) => node.type));
    expect(OURS.filter((type) => !types.has(type))).toEqual([]);
  });

  it('have ids of their own, but for the config nodes, so that all can be imported side by side', () => {
    const ids = files.flatMap(read).flatMap((node) => (SHARED.includes(node.type) ? [] : [node.id]));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(SHARED)('share one %s', (type) => {
    const nodes = files.flatMap(read).filter((node) => node.type === type);
    expect(nodes.length).toBeGreaterThan(1);
    for (const node of nodes) expect(node).toEqual(nodes[0]);
  });

  describe.each(files)('%s', (file) => {
    const nodes = read(file);
    const ids = nodes.map((node) => node.id);

    it('is called by a numbered sentence', () => {
      expect(basename(file)).toMatch(/^\d\d - [A-Z][\w ]+\.json$/);
    });

    it('has a comment and no nodes of others', () => {
      expect(nodes.some((node) => node.type === 'comment')).toBe(true);
      expect(nodes.map((node) => node.type).filter((type) => ![...CORE, ...OURS].includes(type))).toEqual([]);
    });

    it('refers only to nodes that it has', () => {
      const references = nodes.flatMap((node) => [
        ...(node.wires ?? []).flat(),
        ...[node.z, node.registry, node.keyring, node.server, node.broker].filter(
          // The broker node's own host name is in a property of the same name.
          (id): id is string => id !== undefined && id !== '' && node.type !== 'mqtt-broker',
        ),
      ]);
      expect(references.filter((id) => !ids.includes(id))).toEqual([]);
    });

    it('has a registry without faults', () => {
      const documents = nodes.flatMap((node) => (node.document === undefined ? [] : [node.document]));
      expect(documents.map(loadRegistry).flatMap((result) => ('faults' in result ? result.faults : []))).toEqual([]);
    });
  });
});
