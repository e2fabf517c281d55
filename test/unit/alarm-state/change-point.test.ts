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

it('is a row of the series of the alarm', () => {
  for (const known of [undefined, registry('{ active: { type: boolean }, count: { type: integer } }')]) {
    const { measurement, tags, fields, time } = parseLine(lineOf(changePoint(change, source, known)));
    expect({ measurement, tags, time }).toEqual({ measurement: 'alarms', tags: source.tags, time: change.time });
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

it('leaves out what the registry has for something else in that table', () => {
  const point = changePoint(change, source, registry('{ state: { type: integer }, count: { type: float } }'));
  expect(Object.keys(point.fields).sort()).toEqual(['acknowledged', 'by', 'event', 'severity', 'silent']);
});
