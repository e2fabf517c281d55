import { beforeAll, describe, expect, test } from 'vitest';
import { expectAccountsBalance, messagesOf } from '../support/accounting';
import { float, nowNanoseconds, sign, signedTime } from '../support/messages';
import type { Runtime } from '../support/node-red';
import { ids, labels, SECRET, startRig, type Rig } from '../support/rig';

const TOPIC = 'sensors/hall/d1/climate';

// `auto-detect` is what "mqtt in" starts with in the palette.
describe.each<{ runtime: Runtime; datatype: 'json' | 'auto-detect' }>([
  { runtime: '4', datatype: 'auto-detect' },
  { runtime: '4', datatype: 'json' },
  { runtime: '5', datatype: 'auto-detect' },
  { runtime: '5', datatype: 'json' },
])('"mqtt in" of Node-RED $runtime set to $datatype', ({ runtime, datatype }) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ runtime, pipeline: { datatype } });
  });

  test('what can be verified is stored', async () => {
    const { publisher, collector, influxd, nodeRed } = rig;
    const time = nowNanoseconds();
    await publisher.publish(TOPIC, sign({ ...signedTime(time), temperature: 20.25 }, SECRET));
    await collector.waitFor(labels.written, 1);
    expect(await influxd.points('iot', 'raw', 'climate')).toEqual([
      { time: String(time), tags: { site: 'hall', device: 'd1' }, fields: { temperature: '20.25' } },
    ]);
    expectAccountsBalance(await nodeRed.metrics());
  });

  test('what cannot is rejected, and the reason tells how to set the flow right', async () => {
    const { publisher, collector, nodeRed } = rig;
    collector.clear();
    // 20.0 became 20 when the object was made: what was signed cannot be known any more.
    const payload = { ...signedTime(nowNanoseconds()), temperature: float(20) };
    await publisher.publish(TOPIC, sign(payload, SECRET));
    const [message] = await collector.waitFor(labels.unverified, 1);
    expect(message?.['rejected']).toMatchObject({ code: 'bad-signature', by: ids.verify });
    const { reason } = message?.['rejected'] as { reason: string };
    expect(reason).toMatch(/mqtt in/);
    expect(reason).toMatch(/a Buffer/);
    const metrics = await nodeRed.metrics();
    expectAccountsBalance(metrics);
    expect(messagesOf(metrics, ids.verify, 'hmac-verify')).toMatchObject({ received: 2, passed: 1, rejected: 1 });
  });
});

test.each<Runtime>(['4', '5'])('"mqtt in" of Node-RED %s set to a String loses nothing', async (runtime) => {
  const { publisher, collector } = await startRig({ runtime, pipeline: { datatype: 'utf8' } });
  await publisher.publish(TOPIC, sign({ ...signedTime(nowNanoseconds()), temperature: float(20), note: 'é' }, SECRET));
  await collector.waitFor(labels.written, 1);
  expect(collector.messages(labels.unverified)).toEqual([]);
});
