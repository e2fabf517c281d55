import { loadRegistry } from '../../../nodes/lib/registry/load';
import type { Fault } from '../../../nodes/lib/registry/load';
import type { Match, Registry } from '../../../nodes/lib/registry/registry';
import { route } from '../../../nodes/registry-route/route';
import type { Route } from '../../../nodes/registry-route/route';

/** Loads a document, text or value, that must have no fault. */
export function registryOf(document: unknown): Registry {
  const loaded = loadRegistry(typeof document === 'string' ? document : JSON.stringify(document));
  if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
  return loaded.registry;
}

/** Loads a document, text or value; its faults, none when it has none. */
export function faultsOf(document: unknown): Fault[] {
  const loaded = loadRegistry(typeof document === 'string' ? document : JSON.stringify(document));
  return 'faults' in loaded ? loaded.faults : [];
}

/** A topic of a document: a sensor with one field, and what is given. */
export function topicWith(members: object = {}): object {
  return { kind: 'sensor', bucket: 'raw', measurement: 'm', fields: { value: { type: 'float' } }, ...members };
}

/** A document with these topics. */
export function documentWith(topics: object, buckets: object = {}): object {
  const usual = { raw: { retention: '1d' }, averages: { retention: '30d' } };
  return { version: 1, buckets: { ...usual, ...buckets }, topics };
}

/** A document with the topic `t`: a sensor with one field, and what is given. */
export function documentOf(members: object = {}, buckets: object = {}): object {
  return documentWith({ t: topicWith(members) }, buckets);
}

export function matchOf(registry: Registry, topic: string): Match {
  const match = registry.match(topic);
  if (match === undefined) throw new Error(`${topic} is not registered`);
  return match;
}

/** Routes a payload, given as the JSON text that was signed, by the topic `t` of a document made of these members. */
export function routeBy(members: object, text: string): Route {
  return route(registryOf(documentOf(members)), 't', JSON.parse(text), text);
}

/** Repeatable random numbers from 0 to below 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
