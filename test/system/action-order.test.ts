import { describe, expect, test } from 'vitest';
import { runCampaign, type Fault } from '../support/action-campaign';
import { rounds, seed, torture } from '../support/campaign';

const ACTIONS = rounds(60, 5000);
const FAULTS = rounds(3, 200);
/** So few that each burst has several actions for one of them. */
const topicsOf = (action: string): string[] => ['d1', 'd2', 'd3'].map((device) => `actions/hall/${device}/${action}`);

const FAULT_KINDS: Fault[] = [
  'kill Node-RED',
  'kill device',
  'cut Node-RED',
  'cut device',
  'stop broker',
  'kill broker',
];

describe.each(torture ? ([4, 5] as const) : ([5] as const))(
  `the order of actions, MQTT %i, ${ACTIONS} actions in bursts on shared topics, ${FAULTS} faults (seed ${seed})`,
  (protocolVersion) => {
    const common = { protocolVersion, actions: ACTIONS, faults: FAULTS, kinds: FAULT_KINDS, acknowledges: true };

    test('what each device performed last is what was commanded last, and each is performed once', async () => {
      const campaign = { ...common, topics: topicsOf('valve'), seed: seed + 3 * protocolVersion };
      const { summary, failed } = await runCampaign(campaign);
      console.log(summary);
      expect(failed).toBe(0);
    });

    test('the same where a newer action supersedes the older ones', async () => {
      const campaign = { ...common, topics: topicsOf('slider'), seed: seed + 4 * protocolVersion };
      const { summary } = await runCampaign(campaign);
      console.log(summary);
    });
  },
);
