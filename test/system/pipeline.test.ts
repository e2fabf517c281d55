import { describe, expect, test } from 'vitest';
import { expectAccountsBalance, messagesOf, pointsOf } from '../support/accounting';
import { float, Literal, nowNanoseconds, sign, signedTime } from '../support/messages';
import type { Runtime } from '../support/node-red';
import { Readings } from '../support/readings';
import { ids, labels, SECRET, startRig } from '../support/rig';
import { until } from '../support/until';

const COUNT = 3000;

describe.each<Runtime>(['4', '5'])('the pipeline on Node-RED %s', (runtime) => {
  test('stores every signed message as it was sent', async () => {
    const rig = await startRig({ runtime });
    const readings = new Readings(SECRET);
    await rig.publisher.load({ rate: 3000, count: COUNT, make: readings.make }).finished;
    await until(
      'every reading is stored',
      () => rig.influxd.count('iot', 'raw', 'climate', 'count'),
      (stored) => stored >= COUNT,
    );

    const { stored, faults } = await readings.compare(rig.influxd);
    expect(faults).toEqual([]);
    expect(stored.size).toBe(COUNT);
    const metrics = await rig.nodeRed.metrics();
    expectAccountsBalance(metrics);
    expect(messagesOf(metrics, ids.verify, 'hmac-verify')).toMatchObject({ received: COUNT, passed: COUNT });
    expect(messagesOf(metrics, ids.route, 'registry-route')).toMatchObject({ received: COUNT, passed: COUNT });
    expect(messagesOf(metrics, ids.write, 'influx-write')).toMatchObject({ received: COUNT, passed: COUNT });
    expect(pointsOf(metrics, ids.server)).toMatchObject({ accepted: COUNT, written: COUNT, queued: 0 });
    const written = rig.collector.messages(labels.written).map((message) => message['payload'] as { written: number });
    expect(written.reduce((sum, batch) => sum + batch.written, 0)).toBe(COUNT);
    expect(rig.collector.messages(labels.errors)).toEqual([]);
  });

  test('keeps types, digits and text, and sends each kind to its bucket', async () => {
    const { publisher, influxd, nodeRed } = await startRig({ runtime });
    const time = nowNanoseconds() + 123n;
    const at = signedTime(time);
    const send = (topic: string, payload: Parameters<typeof sign>[0]) =>
      publisher.publish(topic, sign(payload, SECRET));
    await send('sensors/Düsseldorf, Halle 1/a=b/climate', {
      ...at,
      temperature: float(20),
      count: new Literal('9223372036854775807'),
      note: 'He said "20 °C", \\ and left 😀\nnext line',
    });
    await send('alarms/hall/d1/smoke', { ...at, active: true, severity: 'high' });
    await send('actions/hall/d1/valve', { ...at, id: 'a-1', position: 50 });

    const look = async () => [
      await influxd.points('iot', 'raw', 'climate'),
      await influxd.points('iot', 'events', 'alarms'),
      await influxd.points('iot', 'events', 'actions'),
    ];
    const stored = await until('all three are stored', look, (points) => points.every((some) => some.length === 1));
    expect(stored).toEqual([
      [
        {
          time: String(time),
          tags: { site: 'Düsseldorf, Halle 1', device: 'a=b' },
          fields: {
            temperature: '20',
            count: '9223372036854775807',
            note: 'He said "20 °C", \\ and left 😀\nnext line',
          },
        },
      ],
      [
        {
          time: String(time),
          tags: { site: 'hall', device: 'd1', alarm: 'smoke' },
          fields: { active: 'true', severity: 'high' },
        },
      ],
      [
        {
          time: String(time),
          tags: { site: 'hall', device: 'd1', action: 'valve' },
          fields: { id: 'a-1', position: '50' },
        },
      ],
    ]);
    const types = [
      ...(await influxd.query('SHOW FIELD KEYS FROM "raw"./.*/', 'iot')),
      ...(await influxd.query('SHOW FIELD KEYS FROM "events"./.*/', 'iot')),
    ];
    expect(Object.fromEntries(types.map((row) => [row['fieldKey'], row['fieldType']]))).toEqual({
      active: 'boolean',
      count: 'integer',
      id: 'string',
      note: 'string',
      position: 'float',
      severity: 'string',
      temperature: 'float',
    });
    const metrics = await nodeRed.metrics();
    expectAccountsBalance(metrics);
    for (const kind of ['sensor', 'alarm', 'action']) {
      expect(metrics.sum('mqtt2influx_messages_routed_total', { kind }), kind).toBe(1);
    }
  });

  test('a message that is replayed changes nothing', async () => {
    const { publisher, influxd, nodeRed } = await startRig({ runtime });
    const readings = new Readings(SECRET);
    const { topic, payload } = readings.make(1);
    for (let copy = 0; copy < 5; copy++) await publisher.publish(topic, payload, { qos: 1 });
    const metrics = await until(
      'all copies are written',
      () => nodeRed.metrics(),
      (seen) => pointsOf(seen, ids.server).written === 5,
    );
    expectAccountsBalance(metrics);
    expect(await influxd.points('iot', 'raw', 'climate')).toHaveLength(1);
    expect((await readings.compare(influxd)).faults).toEqual([]);
  });
});
