import { describe, expect, test } from 'vitest';
import { alarmLabels, alarmTopic, signedAlarm, startAlarmRig } from '../support/alarms';
import { expectAccountsBalance, messagesOf } from '../support/accounting';
import { rounds } from '../support/campaign';
import { acceptedReadings, expectNothingLost, waitForAccepted } from '../support/delivery';
import { withCredentials } from '../support/flows';
import type { Deployment, FlowNode, ProcessState, Runtime } from '../support/node-red';
import { nowNanoseconds } from '../support/messages';
import { Readings } from '../support/readings';
import { ids, labels, SECRET, startRig, type Rig } from '../support/rig';
import { until } from '../support/until';

const RATE = 500;
const DEPLOYS = rounds(2, 20);

/** A session that the broker keeps while the flow is down, so that as much as possible gets here. */
function withSession(flows: FlowNode[]): FlowNode[] {
  const session = { clientid: 'pipeline', cleansession: false };
  return flows.map((node) => (node.id === ids.broker ? { ...node, ...session } : node));
}

function withoutRejectedOutput(flows: FlowNode[]): FlowNode[] {
  return flows.map((node) => (node.id === ids.verify ? { ...node, wires: [[ids.route], []] } : node));
}

/** The same flow with these nodes changed, so that a deploy has a reason to restart them. */
function renamed(flows: FlowNode[], changed: string[], name: string): FlowNode[] {
  return flows.map((node) => (changed.includes(node.id) ? { ...node, name } : node));
}

const deployments: { type: Deployment; changed: string[] }[] = [
  { type: 'full', changed: [] },
  { type: 'flows', changed: [ids.write] },
  { type: 'nodes', changed: [ids.write] },
  { type: 'nodes', changed: [ids.route] },
  { type: 'nodes', changed: [ids.verify] },
  { type: 'nodes', changed: [ids.server] },
  { type: 'nodes', changed: [ids.registry] },
  { type: 'nodes', changed: [ids.keyring] },
];

async function livingResources({ nodeRed }: Rig): Promise<string[]> {
  return (await nodeRed.process()).resources.map(({ type }) => type).sort();
}

describe.each<Runtime>(['4', '5'])('deploys of Node-RED %s', (runtime) => {
  test('lose nothing that reached the pack under load, whatever is restarted', async () => {
    const rig = await startRig({ runtime, change: withSession, pipeline: { qos: '1' } });
    const { nodeRed, publisher, flow, collector } = rig;
    const readings = new Readings(SECRET);
    const load = publisher.load({ rate: RATE, make: readings.make, qos: 1 });
    for (let round = 1; round <= DEPLOYS; round++) {
      for (const { type, changed } of deployments) {
        await nodeRed.deploy(renamed(flow.flows, changed, `${type} ${round}`), type);
        await waitForAccepted(rig, acceptedReadings(rig).length + RATE / 5);
      }
    }
    const sent = await load.stop();
    const counted = async (node: string, type: string) => messagesOf(await nodeRed.metrics(), node, type);
    // The broker sends again what "mqtt in" had not acknowledged when it was stopped: counted twice, stored once.
    const { verify } = await until(
      'all that reached the pack is accepted',
      async () => ({
        verify: await counted(ids.verify, 'hmac-verify'),
        route: await counted(ids.route, 'registry-route'),
        write: await counted(ids.write, 'influx-write'),
      }),
      (seen) => seen.verify['received'] === seen.write['passed'],
    );
    // What "mqtt in" has acknowledged and core then sent to a node that was just stopped never reaches the pack.
    const reached = verify['received'] ?? 0;
    const stored = await expectNothingLost(rig, readings);
    expect(stored).toBeLessThanOrEqual(reached);
    console.log(`Node-RED ${runtime}: ${sent} sent, ${reached} reached the pack, all of them stored`);
    expect(collector.messages(labels.errors)).toEqual([]);
    expect(collector.messages(labels.unverified)).toEqual([]);
    expect(collector.messages(labels.unrouted)).toEqual([]);
  });

  test('leave no timer, socket, watcher or listener behind', async () => {
    const rig = await startRig({ runtime, trackResources: true, change: withoutRejectedOutput });
    const { nodeRed, publisher, flow, broker } = rig;
    const readings = new Readings(SECRET);
    let sent = 0;
    const work = async (): Promise<void> => {
      // What is rejected with nothing wired there is logged, which has a timer of its own.
      await publisher.publish('sensors/hall/d1/climate', 'garbage');
      await publisher.load({ rate: 500, count: 200, make: (index) => readings.make(sent + index) }).finished;
      sent += 200;
      await waitForAccepted(rig, sent);
    };
    const running: string[][] = [];
    const empty: ProcessState[] = [];
    for (let round = 0; round < rounds(3, 20); round++) {
      await work();
      running.push(await livingResources(rig));
      await nodeRed.deploy([], 'full');
      await until(
        'nothing of the pack is alive',
        () => livingResources(rig),
        (alive) => alive.length === 0,
        { deadline: 5000 },
      ).catch(async () => expect((await nodeRed.process()).resources).toEqual([]));
      empty.push(await nodeRed.process());
      const mark = broker.mark();
      await nodeRed.deploy(withCredentials(flow), 'full');
      await rig.subscribed(mark);
    }
    // It does see them while they are in use.
    expect(running.every((alive) => alive.length > 0)).toBe(true);
    const counts = empty.map(({ listeners, processListeners }) => ({ listeners, processListeners }));
    expect(new Set(counts.map((count) => JSON.stringify(count))).size, JSON.stringify(counts)).toBe(1);
    expectAccountsBalance(await nodeRed.metrics());
  });

  test('that cannot start hold no alarm back, nor does a stop by hand', async () => {
    const rig = await startAlarmRig({ runtime, settings: { runtimeState: { enabled: true, ui: false } } });
    const { nodeRed, publisher, collector, broker, flow } = rig;
    let count = 0;
    const expectAlarm = async (): Promise<void> => {
      count += 1;
      const alarm = alarmTopic(`d${count}`);
      await publisher.publish(alarm, signedAlarm(nowNanoseconds(), true), { qos: 1 });
      await until('it is raised', () => collector.messages(alarmLabels.changes).some(({ topic }) => topic === alarm));
    };
    await expectAlarm();

    const unknown = { id: 'unknown', type: 'no-such-type', z: ids.tab, name: '', x: 1, y: 1, wires: [] };
    const logMark = nodeRed.mark();
    const headers = { 'Node-RED-API-Version': 'v2', 'Node-RED-Deployment-Type': 'nodes' };
    const answer = await nodeRed.post('flows', { flows: [...flow.flows, unknown] }, undefined, headers);
    expect(answer.status, answer.text).toBe(200);
    await nodeRed.waitForLog(/Waiting for missing types/, logMark);
    await expectAlarm();
    await nodeRed.deploy(flow.flows, 'nodes');
    await expectAlarm();

    expect((await nodeRed.post('flows/state', { state: 'stop' })).status).toBe(200);
    const mark = broker.mark();
    expect((await nodeRed.post('flows/state', { state: 'start' })).status).toBe(200);
    await rig.subscribed(mark);
    await expectAlarm();
    expect(collector.messages(labels.errors)).toEqual([]);
    expectAccountsBalance(await nodeRed.metrics());
  });

  test('while InfluxDB is away they are quick and keep the queue', async () => {
    const rig = await startRig({ runtime, pipeline: { timeout: 30 } });
    const { nodeRed, publisher, flow, influxd, broker } = rig;
    const readings = new Readings(SECRET);
    await influxd.freeze();
    const sent = await publisher.load({ rate: 1000, count: 1000, make: readings.make }).finished;
    await waitForAccepted(rig, sent);
    // A request is in flight that will not be answered: Node-RED must not wait for it.
    const mark = broker.mark();
    const logMark = nodeRed.mark();
    await nodeRed.deploy(flow.flows, 'full');
    expect(nodeRed.log(logMark)).not.toMatch(/Error stopping node|Close timed out/i);
    await rig.subscribed(mark);
    await influxd.thaw();
    expect(await expectNothingLost(rig, readings)).toBe(sent);
  });
});
