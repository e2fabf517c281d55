import { connect } from 'mqtt';
import { expect, test } from 'vitest';
import { alarmLabels, startAlarmRig, type AlarmMessage } from '../support/alarms';
import { nowNanoseconds, sign, signedTime } from '../support/messages';
import { SECRET, type Rig } from '../support/rig';
import { until } from '../support/until';

const TOPIC = 'alarms/hall/d1/offline';

/** As docs/alarms.md has it. */
const REGISTRY = `
version: 1
buckets: { events: { retention: 365d } }
topics:
  alarms/{site}/{device}/offline:
    kind: alarm
    device: "{site}/{device}"
    bucket: events
    measurement: offline
    tags: { site: "{site}", device: "{device}" }
    fields:
      active: { type: boolean }
    window: { past: 30d }
`;

const DAY = 86_400_000_000_000n;

/** Connects as docs/alarms.md says, with a will that was signed so long ago; returns the will and how to lose the connection. */
async function connected(rig: Rig, ago: bigint): Promise<{ will: string; lose: () => void }> {
  const now = nowNanoseconds();
  const will = sign({ ...signedTime(now - ago), active: true }, SECRET);
  const device = connect(rig.broker.url, {
    clientId: 'device',
    reconnectPeriod: 0,
    will: { topic: TOPIC, payload: Buffer.from(will), qos: 1, retain: false },
  });
  device.on('error', () => undefined);
  await new Promise((resolve) => device.once('connect', resolve));
  await device.publishAsync(TOPIC, sign({ ...signedTime(now - ago + 1000n), active: false }, SECRET), { qos: 1 });
  return { will, lose: () => device.stream.destroy() };
}

test('a last will raises an alarm days after it was signed, the next connection clears it, and no copy raises it again', async () => {
  const rig = await startAlarmRig({ runtime: '4', registry: REGISTRY });
  const events = (label: string = alarmLabels.changes) =>
    (rig.collector.messages(label) as AlarmMessage[]).map(({ alarm, rejected }) => rejected?.code ?? alarm.event);
  const first = await connected(rig, 20n * DAY);
  await until('it is well', () => events(alarmLabels.everything).length === 1);
  first.lose();
  await until('it is raised', () => events().length === 1);
  const second = await connected(rig, 0n);
  await until('it is cleared', () => events().length === 2);
  await rig.publisher.publish(TOPIC, first.will, { qos: 1 });
  await until('the copy is ignored', () => events(alarmLabels.everything).includes('outdated'));
  expect(events()).toEqual(['raised', 'cleared']);
  second.lose();
  await until('it is raised again', () => events().length === 3);
  expect(events()).toEqual(['raised', 'cleared', 'raised']);
  expect((await rig.nodeRed.metrics()).sum('mqtt2influx_alarm_faults_total', { fault: 'clock' })).toBe(2);
});
