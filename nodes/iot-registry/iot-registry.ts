import type { Node, NodeAPI } from 'node-red';
import { PackError, reasonOf } from '../lib/errors';
import type { Fault, LoadedRegistry } from '../lib/registry/load';
import { loadRegistry } from '../lib/registry/load';
import { isShort, loadAside, readAside } from '../lib/registry/load-aside';
import type { Registry } from '../lib/registry/registry';
import { Listeners } from '../lib/runtime/config-nodes';
import { deployGate } from '../lib/runtime/deploy-gate';
import { addJsonEndpoint, textMember } from '../lib/runtime/endpoint';
import { inUserDirectory } from '../lib/runtime/user-directory';
import { WatchedFile } from '../lib/runtime/watched-file';
import type { IotRegistryConfig } from './config';

/** What other nodes see of the registry. */
export interface IotRegistryNode extends Node {
  /** The running version; undefined until a document without faults was read. */
  registry: Registry | undefined;
  /** What is wrong with the newest document, if anything; an earlier version may still be running. */
  problem: string | undefined;
  changed: Listeners;
}

/** The running registry of a registry node; throws a {@link PackError} while there is none. */
export function runningRegistry(node: IotRegistryNode): Registry {
  if (node.registry) return node.registry;
  throw new PackError('registry-unavailable', node.problem ?? 'the registry document has not been read yet');
}

/** So many faults are logged one by one; the dialog shows them all. */
const FAULTS_LOGGED = 20;

export default function register(RED: NodeAPI): void {
  // The last good version of each registry, so that deploying a faulty document keeps the running one too.
  const running = new Map<string, Registry>();

  function IotRegistry(this: IotRegistryNode, config: IotRegistryConfig) {
    RED.nodes.createNode(this, config);
    this.registry = running.get(this.id);
    this.problem = undefined;
    this.changed = new Listeners();

    const refuse = (problem: string, details: string[]) => {
      const kept = this.registry ? '; the running version is kept' : '';
      this.problem = problem;
      this.error([`${problem}${kept}`, ...details].join('\n  '));
      this.changed.notify();
    };
    const take = (loaded: LoadedRegistry) => {
      if ('faults' in loaded) {
        refuse(RED._('iot-registry.error.faults', { count: loaded.faults.length }), describe(loaded.faults));
        return;
      }
      const again = this.registry !== undefined;
      this.registry = loaded.registry;
      running.set(this.id, loaded.registry);
      this.problem = undefined;
      if (again) this.log(RED._('iot-registry.log.reloaded', { topics: loaded.registry.topics.length }));
      const { warnings } = loaded;
      if (warnings.length > 0) {
        this.warn([RED._('iot-registry.log.warnings', { count: warnings.length }), ...describe(warnings)].join('\n  '));
      }
      this.changed.notify();
    };
    let isClosed = false;
    let newest = '';
    const load = async (text: string) => {
      newest = text;
      const loaded = await loadAside(text);
      if (!isClosed && newest === text) take(loaded);
    };

    const file = config.source === 'file' ? watch(inUserDirectory(RED, config.file), load, refuse) : undefined;
    if (file) deployGate(RED).waitFor(file.first);
    else if (isShort(config.document)) take(loadRegistry(config.document));
    else deployGate(RED).waitFor(load(config.document));
    this.on('close', (removed: boolean, done: () => void) => {
      isClosed = true;
      file?.close();
      if (removed) running.delete(this.id);
      done();
    });
  }

  function watch(
    path: string,
    load: (text: string) => Promise<void>,
    refuse: (problem: string, details: string[]) => void,
  ) {
    return new WatchedFile(path, load, (error) =>
      refuse(RED._('iot-registry.error.unreadable', { path }), [reasonOf(error)]),
    );
  }

  RED.nodes.registerType('iot-registry', IotRegistry);

  addJsonEndpoint(RED, 'iot-registry/check', 'iot-registry.read', async (body) => {
    const read = await readAside(textMember(body, 'document'));
    if ('faults' in read) return { topics: 0, faults: read.faults, warnings: [] };
    return { topics: read.topics, faults: [], warnings: read.warnings };
  });
}

function describe(faults: readonly Fault[]): string[] {
  const lines = faults.slice(0, FAULTS_LOGGED).map(({ path, reason }) => `${path || '/'}: ${reason}`);
  const rest = faults.length - lines.length;
  return rest > 0 ? [...lines, `and ${rest} more`] : lines;
}
