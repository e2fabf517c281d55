import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectAccountsBalance } from '../support/accounting';
import {
  alarmLabels,
  alarmRegistry,
  alarmTopic,
  HANDMADE_TOPIC,
  signedAlarm,
  startAlarmRig,
  type AlarmMessage,
} from '../support/alarms';
import { runtimes } from '../support/campaign';
import { nowNanoseconds } from '../support/messages';
import { packageRoot, type FlowNode } from '../support/node-red';
import { ids, labels, type Rig } from '../support/rig';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

/** A node that takes its time to close. */
const SLOW_NODE = `module.exports = (RED) => {
  RED.nodes.registerType('test-slow', function (config) {
    RED.nodes.createNode(this, config);
    this.on('close', (done) => setTimeout(done, config.milliseconds));
  });
};
`;

function nodesFolder(): string {
  const folder = join(tempDirectory('slow'), 'nodes');
  mkdirSync(folder);
  writeFileSync(join(folder, 'test-slow.js'), SLOW_NODE);
  const definition = `RED.nodes.registerType('test-slow', { category: 'tests', defaults: { milliseconds: { value: 0 } } });`;
  writeFileSync(join(folder, 'test-slow.html'), `<script type="text/javascript">${definition}</script>`);
  return folder;
}

const slowNode = (name: string): FlowNode => {
  const place = { z: ids.tab, x: 1, y: 1, wires: [] };
  return { ...place, id: 'slow', type: 'test-slow', name, milliseconds: 4000 };
};

function events({ collector }: Rig, device: string, label: string): string[] {
  const messages = collector.messages(label) as AlarmMessage[];
  return messages
    .filter(({ topic, alarm }) => topic === alarmTopic(device) && (alarm as AlarmMessage['alarm'] | undefined))
    .map(({ alarm, rejected }) => `${alarm.event}${rejected ? ` ${rejected.code}` : ''}${alarm.again ? ' again' : ''}`);
}

const send = ({ publisher }: Rig, device: string, active: boolean, options: { retain?: boolean } = {}): Promise<void> =>
  publisher.publish(alarmTopic(device), signedAlarm(nowNanoseconds(), active), { qos: 1, ...options });

test.each(runtimes('4'))('on Node-RED %s no change falls into the gap of a deploy', async (runtime) => {
  const rig = await startAlarmRig({
    runtime,
    registry: alarmRegistry({ alarm: '2s' }),
    alarms: { onDelay: 1 },
    settings: { nodesDir: [join(packageRoot, 'test/support/node-red-nodes'), nodesFolder()] },
  });
  const { nodeRed, flow } = rig;
  await nodeRed.deploy([...flow.flows, slowNode('')], 'nodes');
  await send(rig, 'd1', true);
  await until('it is under way', () => events(rig, 'd1', alarmLabels.everything).includes('pending'));

  // All that the changes are sent to is stopped meanwhile, the alarms are not.
  const renamed = flow.flows.map((node) =>
    node.id === ids.write || node.id.startsWith('collect') ? { ...node, name: 'renamed' } : node,
  );
  const began = Date.now();
  await nodeRed.deploy([...renamed, slowNode('renamed')], 'nodes');
  const ended = Date.now();
  await until('both have come', () => events(rig, 'd1', alarmLabels.changes).length === 2);
  expect(events(rig, 'd1', alarmLabels.changes)).toEqual(['raised', 'silent']);
  const changes = rig.collector.messages(alarmLabels.changes) as AlarmMessage[];
  for (const { alarm } of changes) {
    expect(alarm.changed).toBeGreaterThan(began);
    expect(alarm.changed).toBeLessThan(ended);
  }
  const logged = () => rig.influxd.points('iot', 'events', 'alarms_events');
  await until('both are in the log', logged, (rows) => rows.filter(({ fields }) => 'event' in fields).length === 2);
  expectAccountsBalance(await nodeRed.metrics());
});

test('alarms go on after a deploy that cannot start all nodes', async () => {
  const rig = await startAlarmRig({ runtime: '4', alarms: { onDelay: 1 } });
  const { nodeRed, flow } = rig;
  const missing: FlowNode = { id: 'missing', type: 'test-missing', z: ids.tab, x: 1, y: 1, wires: [] };
  const headers = { 'Node-RED-API-Version': 'v2', 'Node-RED-Deployment-Type': 'nodes' };
  const mark = nodeRed.mark();
  const { status } = await nodeRed.post('flows', { flows: [...flow.flows, missing] }, undefined, headers);
  expect(status).toBe(200);
  await nodeRed.waitForLog(/Waiting for missing types/, mark);
  await send(rig, 'd1', true);
  await until('it is raised', () => events(rig, 'd1', alarmLabels.changes).includes('raised'));
});

test('with MQTT 5 an alarm counts that its device has published to be retained, and what the broker has kept does not', async () => {
  const rig = await startAlarmRig({ runtime: '4', alarms: { protocolVersion: '5' } });
  const { nodeRed, broker, collector, publisher } = rig;
  await send(rig, 'd1', true, { retain: true });
  await until('it is raised', () => events(rig, 'd1', alarmLabels.changes).length === 1);
  expect(events(rig, 'd1', alarmLabels.changes)).toEqual(['raised']);
  const mark = broker.mark();
  await nodeRed.restart();
  await rig.subscribed(mark);
  const retained = () =>
    (collector.messages(alarmLabels.everything) as AlarmMessage[]).filter(
      ({ rejected }) => rejected?.code === 'retained',
    );
  await until('what the broker had kept is ignored', retained, ({ length }) => length === 1);
  await publisher.publish(alarmTopic('d1'), '', { retain: true });
});

test('a message that a flow has made badly is an error, and holds up nothing', async () => {
  const rig = await startAlarmRig({ runtime: '4' });
  const { publisher, collector, nodeRed } = rig;
  const point = {
    bucket: 'events',
    measurement: 'alarms',
    tags: {},
    fields: { active: { type: 'boolean', value: true } },
  };
  const good = { topic: alarmTopic('d1'), kind: 'alarm', verified: { text: '{}' }, point: { ...point, time: '1' } };
  const bad = [
    { ...good, point },
    { ...good, point: { ...point, time: 'now' } },
    { ...good, topic: undefined },
  ];
  for (const message of [...bad, good]) await publisher.publish(HANDMADE_TOPIC, JSON.stringify(message), { qos: 1 });
  await until('the good one is raised', () => events(rig, 'd1', alarmLabels.changes).length === 1);
  const errors = (await collector.waitFor(labels.errors, bad.length)) as { error: { code: string } }[];
  expect(errors.map(({ error }) => error.code)).toEqual(bad.map(() => 'invalid-point'));
  expectAccountsBalance(await nodeRed.metrics());
});
