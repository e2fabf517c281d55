import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectAccountsBalance } from '../support/accounting';
import { ids, labels, registryDocument } from '../support/flows';
import { float, nowNanoseconds, sign, signedTime } from '../support/messages';
import type { Runtime } from '../support/node-red';
import { SECRET, startRig } from '../support/rig';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

test.each<Runtime>(['4', '5'])(
  'a registry file is watched; a bad version never replaces a good one (Node-RED %s)',
  async (runtime) => {
    const file = join(tempDirectory('registry'), 'registry.yaml');
    writeFileSync(file, registryDocument);
    const rig = await startRig({
      runtime,
      change: (flows) =>
        flows.map((node) => (node.id === ids.registry ? { ...node, source: 'file', document: '', file } : node)),
    });
    const { publisher, collector, nodeRed } = rig;
    const publish = async (topic: string) =>
      publisher.publish(topic, sign({ ...signedTime(nowNanoseconds()), temperature: float(20) }, SECRET));

    await publish('sensors/hall/d1/climate');
    await collector.waitFor(labels.written, 1);

    // Two faults; the running version goes on.
    const mark = nodeRed.mark();
    writeFileSync(
      file,
      registryDocument.replace('bucket: raw', 'bucket: nowhere').replace('type: boolean', 'type: bool'),
    );
    await nodeRed.waitForLog(/nowhere/, mark);
    await nodeRed.waitForLog(/active/, mark);
    await rig.waitForStatus(ids.route, /^yellow dot old registry/);
    await publish('sensors/hall/d2/climate');
    await collector.waitFor(labels.written, 2);

    // As editors and deployments do it: a new file renamed over the old one.
    writeFileSync(`${file}.new`, registryDocument.replace('sensors/{site}', 'rooms/{site}'));
    renameSync(`${file}.new`, file);
    await until('the new version is in force', async () => {
      await publish('rooms/hall/d3/climate');
      return collector.messages(labels.written).length >= 3;
    });
    await publish('sensors/hall/d1/climate');
    const rejected = await collector.waitFor(labels.unrouted, 1);
    expect(rejected.at(-1)?.['rejected']).toMatchObject({ code: 'unregistered' });
    expectAccountsBalance(await nodeRed.metrics());
  },
);

test.each<Runtime>(['4', '5'])(
  'a registry that is bad from the start says so, and starts when it is put right (Node-RED %s)',
  async (runtime) => {
    const file = join(tempDirectory('registry'), 'registry.yaml');
    writeFileSync(file, 'version: 7\n');
    const rig = await startRig({
      runtime,
      change: (flows) =>
        flows.map((node) => (node.id === ids.registry ? { ...node, source: 'file', document: '', file } : node)),
    });
    const { publisher, collector, nodeRed } = rig;
    const publish = async () =>
      publisher.publish(
        'sensors/hall/d1/climate',
        sign({ ...signedTime(nowNanoseconds()), temperature: float(20) }, SECRET),
      );
    await rig.waitForStatus(ids.verify, /^red dot .*registry/i);
    await publish();
    const [error] = await collector.waitFor(labels.errors, 1);
    expect(error?.['error']).toMatchObject({ code: 'registry-unavailable' });

    writeFileSync(file, registryDocument);
    await until('it works', async () => {
      await publish();
      return collector.messages(labels.written).length > 0;
    });
    // That some messages were errors a moment ago is told for some minutes.
    await rig.waitForStatus(ids.verify, /^(?:green|yellow dot)/);
    expectAccountsBalance(await nodeRed.metrics());
  },
);
