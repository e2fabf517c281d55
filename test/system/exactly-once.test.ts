import { describe, expect, test } from 'vitest';
import { runCampaign, type Fault } from '../support/action-campaign';
import { rounds, seed } from '../support/campaign';

/** Of one topic, one action is under way at a time. */
const topicsOf = (action: string): string[] =>
  Array.from({ length: 10 }, (_, index) => `actions/hall/d${index}/${action}`);
const ACTIONS = rounds(40, 5000);
const FAULTS = rounds(2, 200);

/** What a device survives that relies on QoS 2 alone. */
const ORDERLY: Fault[] = ['kill Node-RED', 'kill device', 'cut Node-RED', 'cut device', 'stop broker'];

describe.each([4, 5] as const)(`MQTT %i, ${ACTIONS} actions, ${FAULTS} faults (seed ${seed})`, (protocolVersion) => {
  const common = { protocolVersion, actions: ACTIONS, faults: FAULTS };

  test('a device that relies on QoS 2 performs each action once', async () => {
    const campaign = {
      ...common,
      topics: topicsOf('relay'),
      acknowledges: false,
      kinds: ORDERLY,
      seed: seed + protocolVersion,
    };
    const { summary, failed } = await runCampaign(campaign);
    console.log(summary);
    expect(failed).toBe(0);
  });

  test('a device that answers performs each action once, whatever the broker forgets', async () => {
    const kinds: Fault[] = [...ORDERLY, 'kill broker'];
    const campaign = {
      ...common,
      topics: topicsOf('valve'),
      acknowledges: true,
      kinds,
      seed: seed + 2 * protocolVersion,
    };
    const { summary, failed } = await runCampaign(campaign);
    console.log(summary);
    expect(failed).toBe(0);
  });
});
