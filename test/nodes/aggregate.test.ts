import { test } from 'vitest';
import { ids, withCredentials } from '../support/flows';
import type { Runtime } from '../support/node-red';
import { startRig } from '../support/rig';

const AGGREGATE = 'aggregate';

const REGISTRY = `version: 1
buckets:
  raw: { retention: 1h }
  averages: { retention: 30d }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float }
    aggregate:
      - { every: 5m, functions: [mean], into: averages }
`;

test.each<Runtime>(['4', '5'])(
  'a grace that is longer than raw points are kept is told, at the node and in the log (Node-RED %s)',
  async (runtime) => {
    const aggregate = {
      ...{ id: AGGREGATE, type: 'influx-aggregate', z: ids.tab, name: '', version: 1, x: 0, y: 0 },
      ...{ registry: ids.registry, server: ids.server, grace: 3300, wires: [[], []] },
    };
    const rig = await startRig({ runtime, change: (flows) => [...flows, aggregate], pipeline: { registry: REGISTRY } });
    await rig.waitForStatus(AGGREGATE, /^red .*grace.*raw/);
    await rig.nodeRed.waitForLog(/climate are never computed: bucket raw/);
    const flows = withCredentials(rig.flow);
    await rig.nodeRed.deploy(flows.map((node) => (node.id === AGGREGATE ? { ...node, grace: 30 } : node)));
    await rig.waitForStatus(AGGREGATE, /nothing to aggregate yet/);
  },
);
