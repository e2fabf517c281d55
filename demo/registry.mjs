import { Failure } from './failure.mjs';
import { library } from './folder.mjs';

/** The buckets of a registry document: a list of [name, retention in seconds]. */
export function registeredBuckets(document) {
  const { loadRegistry } = library('registry/load.js');
  const { registry, faults } = loadRegistry(document);
  if (faults) throw new Failure(`The example's registry has faults: ${JSON.stringify(faults)}`);
  return [...registry.buckets].map(([name, { retention }]) => [name, retention]);
}
