import { describe, expect, it } from 'vitest';
import { readMessage, type AlarmInput } from '../../../nodes/alarm-state/intake';
import type { Point } from '../../../nodes/lib/point';
import { alarmRegistry, alarmTopic } from '../../support/alarms';
import { registryOf } from '../registry/support';

const registry = registryOf(alarmRegistry());

const point = (fields: Point['fields']): Point => ({
  bucket: 'events',
  measurement: 'alarms',
  tags: {},
  fields,
  time: '1800000000000000001',
});
const active = { active: { type: 'boolean', value: true } } as const;
const alarm: AlarmInput = {
  topic: alarmTopic('d1'),
  kind: 'alarm',
  verified: { text: '{}' },
  point: point({ ...active, severity: { type: 'string', value: 'low' } }),
};
const reading: AlarmInput = {
  topic: 'sensors/hall/d1/climate',
  kind: 'sensor',
  verified: { text: '{}' },
  point: point({}),
};
const read = (message: AlarmInput) => readMessage(message, () => registry);

describe('what alarm-state makes of a message', () => {
  it('is what an alarm says, and where its changes belong', () => {
    expect(read(alarm)).toEqual({
      what: 'report',
      source: {
        topic: alarmTopic('d1'),
        bucket: 'events',
        measurement: 'alarms',
        events: 'alarms_events',
        tags: { site: 'hall', device: 'd1', alarm: 'smoke' },
      },
      said: { time: '1800000000000000001', active: true, severity: 'low' },
    });
    expect(read({ ...alarm, point: point(active) })).toMatchObject({ said: { active: true, severity: undefined } });
  });

  it('is that a sensor is alive', () => {
    expect(read(reading)).toMatchObject({
      source: { topic: 'sensors/hall/d1/climate', bucket: 'raw' },
      said: { active: undefined },
    });
  });

  it('is nothing for messages of other kinds', () => {
    expect(read({ ...alarm, kind: 'action' })).toEqual({ what: 'nothing' });
    expect(read({ ...alarm, kind: 'acknowledgement', payload: { acknowledge: 'x' } })).toEqual({ what: 'nothing' });
  });

  it.each<[string, AlarmInput, string]>([
    ['not verified', { ...alarm, verified: undefined }, 'unverified'],
    ['retained', { ...alarm, retain: true }, 'retained'],
    ['of a topic that is not registered', { ...alarm, topic: 'alarms/x' }, 'unregistered'],
    ['of a topic that is too long', { ...alarm, topic: alarmTopic('d'.repeat(60_000)) }, 'too-long'],
    ['of a topic of another kind', { ...alarm, topic: 'sensors/hall/d1/climate' }, 'unregistered'],
    ['a retained command', { payload: { acknowledge: 'x' }, retain: true }, 'retained'],
    ['a retained question', { payload: 'active', retain: true }, 'retained'],
  ])('is to ignore what is %s', (_name, message, code) => {
    expect(read(message)).toMatchObject({ what: 'ignore', code });
  });

  it('is what an operator wants', () => {
    expect(read({ payload: 'active' })).toEqual({ what: 'ask' });
    expect(read({ payload: { acknowledge: 'x', by: 'Ada', since: 5 } })).toEqual({
      what: 'acknowledge',
      id: 'x',
      by: 'Ada',
      since: 5,
    });
    expect(read({ payload: { forget: 'x', by: 7 } })).toEqual({ what: 'forget', id: 'x', by: undefined });
  });

  it('never is what a device says an operator wants', () => {
    expect(read({ ...alarm, payload: { acknowledge: alarmTopic('d1') } })).toMatchObject({
      what: 'report',
    });
  });

  it.each<[string, AlarmInput]>([
    ['neither routed nor a command', { payload: 'hello' }],
    ['a command without an id', { payload: { acknowledge: 7 } }],
    ['an acknowledgement of what began at a text', { payload: { acknowledge: 'x', since: '5' } }],
    ['an acknowledgement of what began at null', { payload: { acknowledge: 'x', since: null } }],
    ['nothing', {}],
    ['null', { payload: null }],
    ['an alarm that does not say whether it is active', { ...alarm, point: point({}) }],
    ['an alarm whose active is no boolean', { ...alarm, point: point({ active: { type: 'integer', value: 1 } }) }],
    ['an alarm without a topic', { ...alarm, topic: undefined }],
    ['an alarm whose topic is empty', { ...alarm, topic: '' }],
    ...[undefined, null, 5, 5n, '', 'now', '-1', '007', '1.5', '1'.repeat(20)].map((time): [string, AlarmInput] => [
      `an alarm whose time is ${typeof time} ${String(time)}`,
      { ...alarm, point: { ...point(active), time: time as string } },
    ]),
    ['a reading without a time', { ...reading, point: { ...point({}), time: undefined as never } }],
    ['an alarm without a point', { topic: alarmTopic('d1'), kind: 'alarm', verified: {} }],
  ])('is an error for %s', (_name, message) => {
    expect(() => read(message)).toThrow(expect.objectContaining({ code: 'invalid-point' }));
  });
});
