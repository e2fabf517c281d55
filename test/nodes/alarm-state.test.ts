import { beforeAll, describe, expect, test } from 'vitest';
import { expectAccountsBalance, messagesOf } from '../support/accounting';
import {
  ALARM_NODE,
  alarmLabels,
  alarmRegistry,
  alarmTopic,
  OPERATOR_TOPIC,
  signedAlarm,
  startAlarmRig,
  type AlarmMessage,
} from '../support/alarms';
import { deviceKey, nowNanoseconds, sign, signedTime } from '../support/messages';
import type { Runtime } from '../support/node-red';
import { ids, labels, SECRET, type Rig } from '../support/rig';
import { until } from '../support/until';

const SECOND = 1_000_000_000n;

function alarms(rig: Rig, label: string): AlarmMessage[] {
  return rig.collector.messages(label) as AlarmMessage[];
}

function events(rig: Rig, device: string, label: string = alarmLabels.everything): string[] {
  return alarms(rig, label)
    .filter(({ alarm }) => (alarm as AlarmMessage['alarm'] | undefined)?.tags['device'] === device)
    .map(({ alarm, rejected }) => (rejected ? `${alarm.event}: ${rejected.code}` : alarm.event));
}

async function waitForEvents(rig: Rig, device: string, expected: string[], label?: string): Promise<void> {
  await until(
    `${device}: ${expected.join(', ')}`,
    () => events(rig, device, label),
    (seen) => JSON.stringify(seen) === JSON.stringify(expected),
  );
}

describe.each<Runtime>(['4', '5'])('alarm-state on Node-RED %s', (runtime) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startAlarmRig({ runtime });
  });
  const operate = (command: unknown, options: { retain?: boolean } = {}) =>
    rig.publisher.publish(OPERATOR_TOPIC, JSON.stringify(command), { qos: 1, ...options });
  const ask = async (): Promise<AlarmMessage['alarm'][]> => {
    const answers = () =>
      rig.collector.messages(alarmLabels.everything).filter(({ payload }) => Array.isArray(payload));
    const before = answers().length;
    await operate('active');
    const answered = await until('it is answered', answers, (seen) => seen.length > before);
    return answered.at(-1)?.['payload'] as AlarmMessage['alarm'][];
  };

  test('an alarm from beginning to end', async () => {
    const { publisher, influxd, nodeRed } = rig;
    const time = nowNanoseconds();
    const send = (offset: bigint, active: boolean, severity?: string) =>
      publisher.publish(alarmTopic('d1'), signedAlarm(time + offset, active, severity), { qos: 1 });
    await send(0n, true);
    await send(0n, true);
    await send(SECOND, true, 'critical');
    await waitForEvents(rig, 'd1', ['raised', 'repeated', 'escalated']);
    await operate({ acknowledge: alarmTopic('d1'), by: 'Ada' });
    await waitForEvents(rig, 'd1', ['raised', 'repeated', 'escalated', 'acknowledged']);
    expect(await ask()).toMatchObject([
      { id: alarmTopic('d1'), state: 'raised', acknowledged: true, silent: false, severity: 'critical', count: 2 },
    ]);
    expect((await rig.waitForStatus(ALARM_NODE, /1 raised/)).fill).toBe('blue');
    await send(2n * SECOND, false);
    await send(SECOND, true);
    await waitForEvents(rig, 'd1', ['raised', 'repeated', 'escalated', 'acknowledged', 'cleared', 'ignored: outdated']);
    await waitForEvents(rig, 'd1', ['raised', 'escalated', 'acknowledged', 'cleared'], alarmLabels.changes);
    expect(await ask()).toEqual([]);
    await rig.waitForStatus(ALARM_NODE, /green.*no alarms/);

    const [raised, escalated, acknowledged] = alarms(rig, alarmLabels.changes);
    expect(raised).toMatchObject({
      topic: alarmTopic('d1'),
      kind: 'alarm',
      payload: raised?.alarm,
      alarm: { since: Number(time / 1_000_000n), tags: { alarm: 'smoke', device: 'd1', site: 'hall' } },
    });
    expect(escalated?.alarm).toMatchObject({ severity: 'critical', since: raised?.alarm.since });
    expect(acknowledged).toMatchObject({ topic: alarmTopic('d1'), kind: 'alarm', alarm: { by: 'Ada' } });
    const rows = await until(
      'changes are stored',
      () => influxd.points('iot', 'events', 'alarms_events'),
      (points) => points.length === 4,
    );
    // By the signed time of the message that brought it.
    expect(rows[0]?.time).toBe(String(time));
    const messages = await until(
      'alarms are stored',
      () => influxd.points('iot', 'events', 'alarms'),
      (points) => points.length === 3,
    );
    expect(messages.map(({ fields }) => Object.keys(fields).sort().join())).toEqual(Array(3).fill('active,severity'));
    expect(rows.map(({ fields }) => fields)).toMatchObject([
      { event: 'raised', state: 'raised', acknowledged: 'false', silent: 'false', count: '1', severity: 'high' },
      { event: 'escalated', state: 'raised', acknowledged: 'false', count: '2', severity: 'critical' },
      { event: 'acknowledged', state: 'raised', acknowledged: 'true', by: 'Ada', severity: 'critical' },
      { event: 'cleared', state: 'cleared', acknowledged: 'true' },
    ]);
    const metrics = await nodeRed.metrics();
    expectAccountsBalance(metrics);
    expect(messagesOf(metrics, ALARM_NODE, 'alarm-state')).toMatchObject({ received: 8, passed: 7, rejected: 1 });
    const count = (event: string) => metrics.sum('mqtt2influx_messages_judged_total', { node: ALARM_NODE, event });
    const judged = ['raised', 'repeated', 'escalated', 'acknowledged', 'cleared', 'asked'];
    expect(judged.map(count)).toEqual([1, 1, 1, 1, 1, 2]);
    expect(metrics.sum('mqtt2influx_messages_rejected_total', { node: ALARM_NODE, code: 'outdated' })).toBe(1);
  });

  test('what is active can be asked for after a restart', async () => {
    const { publisher, nodeRed, broker } = rig;
    await publisher.publish(alarmTopic('d2'), signedAlarm(nowNanoseconds(), true), { qos: 1 });
    await waitForEvents(rig, 'd2', ['raised'], alarmLabels.changes);
    const mark = broker.mark();
    await nodeRed.restart();
    await rig.subscribed(mark);
    await broker.waitForSubscription(OPERATOR_TOPIC, mark);
    expect(await ask()).toMatchObject([{ id: alarmTopic('d2'), state: 'raised', acknowledged: false }]);
    const metrics = await nodeRed.metrics();
    expect(metrics.sum('mqtt2influx_alarms', { node: ALARM_NODE, state: 'raised' })).toBe(1);
    // It was announced a moment before, so it may come once more, but then it says so.
    for (const { alarm } of alarms(rig, alarmLabels.changes)
      .filter((message) => message.alarm.tags['device'] === 'd2')
      .slice(1)) {
      expect(alarm).toMatchObject({ event: 'raised', again: true });
    }
    await operate({ forget: alarmTopic('d2'), by: 'Ada' });
    await until('it is forgotten', () => events(rig, 'd2').includes('forgotten'));
    expect(await ask()).toEqual([]);
  });

  test('what it cannot make sense of is an error', async () => {
    const { publisher, collector } = rig;
    collector.clear();
    await operate('hello');
    await publisher.publish('notes/d1', sign({ ...signedTime(nowNanoseconds()), text: 'hello' }, SECRET));
    const errors = (await collector.waitFor(labels.errors, 2)) as { error: { message: string; code: string } }[];
    expect(errors.map(({ error }) => error.code)).toEqual(['invalid-point', 'invalid-point']);
    expect(errors[0]?.error.message).toMatch(/acknowledge/);
    expect(errors[1]?.error.message).toMatch(/"active".*notes\/\{device\}/);
    expectAccountsBalance(await rig.nodeRed.metrics());
  });
});

describe.each<Runtime>(['4', '5'])('silence on Node-RED %s', (runtime) => {
  const INTERVAL = 2000;

  test('is reported within an interval of becoming so, and its end too', async () => {
    const rig = await startAlarmRig({ runtime, registry: alarmRegistry({ sensor: '2s', alarm: '2s' }) });
    const { publisher, influxd } = rig;
    const topics = { alarm: alarmTopic('d1'), sensor: 'sensors/hall/d2/climate' };
    const send = async (): Promise<number> => {
      const at = signedTime(nowNanoseconds());
      await publisher.publish(topics.alarm, sign({ ...at, active: false, severity: 'low' }, SECRET), { qos: 1 });
      await publisher.publish(topics.sensor, sign({ ...at, temperature: 20 }, SECRET), { qos: 1 });
      return Date.now();
    };
    const sent = await send();
    for (const device of ['d1', 'd2']) {
      await waitForEvents(rig, device, ['silent'], alarmLabels.changes);
      const changed = alarms(rig, alarmLabels.changes).find(({ alarm }) => alarm.tags['device'] === device)?.alarm
        .changed;
      expect(changed).toBeGreaterThanOrEqual(sent + INTERVAL);
      expect(changed).toBeLessThanOrEqual(sent + 2 * INTERVAL);
    }
    await rig.waitForStatus(ALARM_NODE, /2 silent/);
    const back = await send();
    for (const device of ['d1', 'd2']) {
      await waitForEvents(rig, device, ['silent', 'returned'], alarmLabels.changes);
      const [, returned] = alarms(rig, alarmLabels.changes).filter(({ alarm }) => alarm.tags['device'] === device);
      expect(returned?.alarm.changed).toBeLessThanOrEqual(back + INTERVAL);
      expect(returned?.alarm.silent).toBe(false);
    }
    const rows = await until(
      'it is in the log',
      async () => [
        ...(await influxd.points('iot', 'events', 'alarms_events')),
        ...(await influxd.points('iot', 'raw', 'climate_events')),
      ],
      (points) => points.filter(({ fields }) => fields['event'] === 'returned').length === 2,
    );
    expect(rows.filter(({ fields }) => fields['event'] === 'silent')).toHaveLength(2);
    expectAccountsBalance(await rig.nodeRed.metrics());
  });
});

test('delays let through what lasts', async () => {
  const rig = await startAlarmRig({ runtime: '4', alarms: { onDelay: 1, offDelay: 1 } });
  const time = nowNanoseconds();
  const send = (offset: bigint, active: boolean) =>
    rig.publisher.publish(alarmTopic('d1'), signedAlarm(time + offset, active), { qos: 1 });
  await send(0n, true);
  await send(1n, false);
  await send(2n, true);
  await waitForEvents(rig, 'd1', ['pending', 'repeated', 'pending', 'raised']);
  await send(3n, false);
  await waitForEvents(rig, 'd1', ['pending', 'repeated', 'pending', 'raised', 'pending', 'cleared']);
  const [raised] = alarms(rig, alarmLabels.changes);
  expect(raised?.alarm.changed).toBeGreaterThanOrEqual(Number(time / 1_000_000n) + 1000);
});

describe.each<Runtime>(['4', '5'])('no forged message on Node-RED %s', (runtime) => {
  let rig: Rig;
  const key = (device: string) => deviceKey(SECRET, `hall/${device}`);
  const now = nowNanoseconds();
  beforeAll(async () => {
    rig = await startAlarmRig({ runtime, pipeline: { keyMode: 'master' } });
    const good = sign({ ...signedTime(now), active: true, severity: 'high' }, key('d1'));
    await rig.publisher.publish(alarmTopic('d1'), good, { qos: 1 });
    await waitForEvents(rig, 'd1', ['raised'], alarmLabels.changes);
  });

  const clear = (offset: bigint, device = 'd1') =>
    sign({ ...signedTime(now + offset), active: false, severity: 'high' }, key(device));
  const verify = { node: ids.verify };
  const state = { node: ALARM_NODE };

  test.each([
    { ...verify, name: 'unsigned', code: 'malformed', message: JSON.stringify({ active: false }) },
    { ...verify, name: 'wrongly signed', code: 'bad-signature', message: clear(SECOND).replace('false', 'true ') },
    { ...verify, name: 'of another device', code: 'bad-signature', message: clear(SECOND, 'd2') },
    { ...verify, name: 'stale', code: 'stale', message: clear(-7200n * SECOND) },
    { ...verify, name: 'of the future', code: 'future', message: clear(7200n * SECOND) },
    { ...state, name: 'older than the state', code: 'outdated', message: clear(-SECOND) },
    { ...state, name: 'of the same time', code: 'outdated', message: clear(0n) },
  ])('that is $name changes an alarm', async ({ node, code, message }) => {
    const { publisher, nodeRed } = rig;
    const rejected = async () => (await nodeRed.metrics()).sum('mqtt2influx_messages_rejected_total', { node, code });
    const before = await rejected();
    await publisher.publish(alarmTopic('d1'), message, { qos: 1 });
    await until('it is rejected', rejected, (seen) => seen === before + 1);
    expect(events(rig, 'd1', alarmLabels.changes)).toEqual(['raised']);
  });

  test('that is replayed changes an alarm', async () => {
    const { publisher } = rig;
    const replayed = sign({ ...signedTime(now), active: true, severity: 'high' }, key('d1'));
    const before = events(rig, 'd1').filter((event) => event === 'repeated').length;
    await publisher.publish(alarmTopic('d1'), replayed, { qos: 1 });
    await until('it is a repetition', () => events(rig, 'd1').filter((event) => event === 'repeated').length > before);
    expect(events(rig, 'd1', alarmLabels.changes)).toEqual(['raised']);
  });

  test('that the broker has retained changes an alarm', async () => {
    const { publisher, nodeRed, broker } = rig;
    // A device of its own, as this one goes to the flow before it is retained, and again when the flow subscribes anew.
    const alarm = (device: string) =>
      sign({ ...signedTime(nowNanoseconds()), active: true, severity: 'high' }, key(device));
    const mark = broker.mark();
    await nodeRed.stop();
    await publisher.publish(alarmTopic('d3'), alarm('d3'), { qos: 1, retain: true });
    await publisher.publish(OPERATOR_TOPIC, JSON.stringify({ acknowledge: alarmTopic('d1') }), {
      qos: 1,
      retain: true,
    });
    await nodeRed.restart();
    await rig.subscribed(mark);
    const retained = async () =>
      (await nodeRed.metrics()).sum('mqtt2influx_messages_rejected_total', { node: ALARM_NODE, code: 'retained' });
    await until('both are ignored', retained, (seen) => seen === 2);
    expect(events(rig, 'd3')).toEqual([]);
    expect(events(rig, 'd1', alarmLabels.changes)).not.toContain('acknowledged');
    const ignored = await until(
      'both are told',
      () => alarms(rig, alarmLabels.everything).filter(({ rejected }) => rejected?.code === 'retained'),
      ({ length }) => length >= 2,
    );
    expect(ignored.map(({ topic }) => topic).sort()).toEqual([alarmTopic('d3'), OPERATOR_TOPIC].sort());
    await publisher.publish(alarmTopic('d3'), '', { retain: true });
    await publisher.publish(OPERATOR_TOPIC, '', { retain: true });
    expectAccountsBalance(await nodeRed.metrics());
  });
});
