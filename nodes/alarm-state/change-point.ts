import { eventsOf, type Change, type Source } from '../lib/alarm/alarm';
import type { FieldValue, Point } from '../lib/point';
import type { Registry } from '../lib/registry/registry';

/**
 * What a change is logged as: a row with the alarm's tags in a measurement of its own, so that no column of the device's data
 * is ever touched. A column that the registry has for something else there is left out.
 */
export function changePoint({ event, alarm, time, by }: Change, source: Source, registry: Registry | undefined): Point {
  const { bucket, tags } = source;
  const measurement = eventsOf(source);
  const fields: Record<string, FieldValue> = {
    event: { type: 'string', value: event },
    state: { type: 'string', value: alarm.state },
    acknowledged: { type: 'boolean', value: alarm.acknowledged },
    silent: { type: 'boolean', value: alarm.silent },
    count: { type: 'integer', value: alarm.count },
    ...(alarm.severity !== undefined && { severity: { type: 'string', value: alarm.severity } }),
    ...(by !== undefined && { by: { type: 'string', value: by } }),
  };
  const columns = registry && columnsOf(registry, bucket, measurement);
  const free = Object.entries(fields).filter(([name, { type }]) => (columns?.get(name) ?? type) === type);
  return { bucket, measurement, tags: { ...tags }, fields: Object.fromEntries(free), time };
}

const known = new WeakMap<Registry, Map<string, Map<string, string>>>();

/** Type of each column that the registry gives to a table: of a field, or `tag`. */
function columnsOf(registry: Registry, bucket: string, measurement: string): ReadonlyMap<string, string> {
  const tables = known.get(registry) ?? new Map<string, Map<string, string>>();
  known.set(registry, tables);
  const name = JSON.stringify([bucket, measurement]);
  const columns = tables.get(name) ?? new Map<string, string>();
  if (tables.has(name)) return columns;
  tables.set(name, columns);
  for (const entry of registry.topics) {
    if (entry.bucket !== bucket) continue;
    const isPoints = entry.measurement === measurement;
    if (isPoints) for (const field of entry.format.fields) columns.set(field.name, field.type);
    if (isPoints || entry.events === measurement) for (const tag of Object.keys(entry.tags)) columns.set(tag, 'tag');
  }
  return columns;
}
