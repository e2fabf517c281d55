import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectAccountsBalance } from '../support/accounting';
import {
  alarmLabels,
  alarmTopic,
  OPERATOR_TOPIC,
  signedAlarm,
  startAlarmRig,
  type AlarmMessage,
} from '../support/alarms';
import { nowNanoseconds } from '../support/messages';
import { labels } from '../support/rig';
import { until } from '../support/until';

test('an alarm is told while the store cannot be opened, and known when it can be', async () => {
  const rig = await startAlarmRig({ runtime: '4' });
  const { nodeRed, broker, publisher, collector } = rig;
  const told = () =>
    (collector.messages(alarmLabels.changes) as AlarmMessage[]).map(
      ({ alarm }) => `${alarm.event}${alarm.again ? ' again' : ''}`,
    );
  const codes = () =>
    (collector.messages(labels.errors) as { error: { code: string } }[]).map(({ error }) => error.code);
  const store = join(nodeRed.userDir, 'mqtt2influx');
  await nodeRed.stop();
  rmSync(store, { recursive: true });
  writeFileSync(store, 'no folder');
  const mark = broker.mark();
  await nodeRed.restart();
  await rig.subscribed(mark);
  await broker.waitForSubscription(OPERATOR_TOPIC, mark);

  const message = signedAlarm(nowNanoseconds(), true);
  await publisher.publish(alarmTopic('d1'), message, { qos: 1 });
  await until('it is told', () => told().length === 1);
  expect(told()).toEqual(['raised again']);
  await publisher.publish(OPERATOR_TOPIC, JSON.stringify('active'), { qos: 1 });
  await until('both are errors', () => codes().includes('store-unavailable'));
  await rig.waitForStatus('alarm', /red/);

  rmSync(store);
  await until('it is taken in', () => told().length === 2);
  await rig.waitForStatus('alarm', /1 raised/);
  await publisher.publish(alarmTopic('d1'), message, { qos: 1 });
  await until('it is known', () =>
    (collector.messages(alarmLabels.everything) as AlarmMessage[]).some(
      ({ alarm }) => (alarm as AlarmMessage['alarm'] | undefined)?.event === 'repeated',
    ),
  );
  expect(new Set(told())).toEqual(new Set(['raised again']));
  expect(new Set(codes())).toEqual(new Set(['store-unavailable']));
  expectAccountsBalance(await nodeRed.metrics());
  const row = await until(
    'it is logged once',
    async () =>
      (await rig.influxd.points('iot', 'events', 'alarms_events')).filter(({ fields }) => fields['event'] === 'raised'),
    ({ length }) => length > 0,
  );
  expect(row).toHaveLength(1);
});
