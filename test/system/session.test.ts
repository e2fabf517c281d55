import { describe, expect, test } from 'vitest';
import { RELAY, SECRET, VALVE, startActionRig } from '../support/action-rig';
import { startReceiver } from '../support/receiver';
import { until } from '../support/until';

describe.each([4, 5] as const)('actions over MQTT %i', (protocolVersion) => {
  test('are published, performed, acknowledged and logged', async () => {
    const rig = await startActionRig({ protocolVersion });
    const { url } = rig.broker;
    const common = { protocolVersion, key: SECRET };
    const valve = await startReceiver(url, { ...common, clientId: 'valve', topic: VALVE, acknowledges: true });
    const relay = await startReceiver(url, { ...common, clientId: 'relay', topic: RELAY, acknowledges: false });
    await rig.waitForStatus(/green dot connected/);

    const valveAction = (await rig.act(VALVE, { position: 50 })) ?? '';
    const relayAction = (await rig.act(RELAY, { position: 1 })) ?? '';
    const acknowledged = await rig.waitForReport('acknowledged', valveAction);
    const published = await rig.waitForReport('published', relayAction);
    await rig.waitForReport('published', valveAction);
    expect(acknowledged).toMatchObject({
      topic: VALVE,
      payload: { id: valveAction, position: 50 },
      action: { state: 'acknowledged', acknowledgement: { id: valveAction } },
    });
    expect(published).toMatchObject({ topic: RELAY, payload: { position: 1 }, action: { state: 'published' } });
    const log = await until(
      'all steps are logged',
      () => rig.log(),
      (seen) => seen.length >= 7,
    );
    const stepsOf = (id: string): string[] => log.filter((step) => step.id === id).map(({ step }) => step);
    expect(stepsOf(valveAction)).toEqual(['created', 'sent', 'published', 'acknowledged']);
    expect(stepsOf(relayAction)).toEqual(['created', 'sent', 'published']);
    await until('nothing is pending', async () => (await rig.pending()) === 0);
    await valve.stop();
    await relay.stop();
    expect(await valve.log()).toEqual([{ id: valveAction, position: 50, outcome: 'performed' }]);
    expect(await relay.log()).toEqual([{ id: relayAction, position: 1, outcome: 'performed' }]);
  });
});
