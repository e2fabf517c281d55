import { expect, it } from 'vitest';
import { changePoint } from '../../../nodes/alarm-state/change-point';
import type { Change } from '../../../nodes/lib/alarm/alarm';
import { lineOf } from '../../../nodes/lib/influx/line-protocol';
import { parseLine } from '../../../nodes/lib/influx/parse-line';
import { sourceOf } from '../alarm/support';
import { registryOf } from '../registry/support';

const source = sourceOf('d1');
const change: Change = {
  event: 'acknowledged',
  by: 'Ada',
  time: '1800000000000000007',
  alarm: {
    ...{ id: source.topic, state: 'raised', acknowledged: true, silent: false, since: 1, changed: 2, severity: 'high' },
    count: 3,
    tags: { ...source.tags },
  },
};

const registry = (fields: string) =>
  registryOf(`
version: 1
buckets: { events: { retention: 1d }, other: { retention: 1d } }
topics:
  a/{device}: { kind: alarm, bucket: events, measurement: alarms, tags: { device: "{device}" }, fields: ${fields} }
  b/{by}: { kind: sensor, bucket: other, measurement: alarms, tags: { by: "{by}" }, fields: { event: { type: float } } }
`);

it('is a row with the tags of the alarm, in a measurement that holds nothing else', () => {
  for (const known of [undefined, registry('{ active: { type: boolean }, count: { type: integer } }')]) {
    const { measurement, tags, fields, time } = parseLine(lineOf(changePoint(change, source, known)));
    expect({ measurement, tags, time }).toEqual({ measurement: 'alarms_events', tags: source.tags, time: change.time });
    expect(Object.fromEntries(Object.entries(fields).map(([name, { value }]) => [name, value]))).toEqual({
      event: 'acknowledged',
      state: 'raised',
      acknowledged: true,
      silent: false,
      count: 3,
      severity: 'high',
      by: 'Ada',
    });
  }
});

it('goes where the registry says', () => {
  expect(changePoint(change, { ...source, events: 'log' }, undefined).measurement).toBe('log');
});

it('leaves out what is a tag there', () => {
  const point = changePoint(
    change,
    source,
    registryOf(`
version: 1
buckets: { events: { retention: 1d } }
topics:
  a/{state}: { kind: alarm, bucket: events, measurement: alarms, tags: { state: "{state}" }, fields: { active: { type: boolean } } }
`),
  );
  expect(Object.keys(point.fields).sort()).toEqual(['acknowledged', 'by', 'count', 'event', 'severity', 'silent']);
});

it('never touches a column of the device, whatever that calls its fields', () => {
  const known = registry('{ active: { type: boolean }, state: { type: string }, count: { type: integer } }');
  const point = changePoint(change, source, known);
  expect(point.measurement).not.toBe(source.measurement);
  expect(point.fields).toMatchObject({ state: { value: 'raised' }, count: { value: 3 } });
});
