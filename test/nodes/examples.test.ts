// The examples do what their comments say.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startCollector, type CollectedMessage, type Collector } from '../support/collector';
import { startInfluxd } from '../support/influxd';
import { deviceKey, nowNanoseconds, sign, signedTime } from '../support/messages';
import { startMosquitto, type Mosquitto } from '../support/mosquitto';
import { packageRoot, startNodeRed, type FlowNode, type NodeRed } from '../support/node-red';
import { startPublisher } from '../support/publisher';
import { until } from '../support/until';

const folder = join(packageRoot, 'examples');

interface RunningExample {
  nodeRed: NodeRed;
  broker: Mosquitto;
  /** Starts Node-RED again, and waits until the flow has subscribed. */
  restart: () => Promise<void>;
  /** Clicks the button of an inject node. */
  click: (name: string) => Promise<void>;
  /** Waits until a debug node has got a message, and returns all of its messages. */
  shown: (name: string, count?: number) => Promise<CollectedMessage[]>;
  collector: Collector;
}

/** An example with its debug nodes watched, against servers of the test. `change`: by the names of nodes. */
async function runExample(number: string, change: Record<string, object> = {}): Promise<RunningExample> {
  const file = readdirSync(folder).find((name) => name.startsWith(`${number} - `)) ?? '';
  const nodes = JSON.parse(readFileSync(join(folder, file), 'utf8')) as FlowNode[];
  const [broker, influxd, collector] = await Promise.all([startMosquitto(), startInfluxd(), startCollector()]);
  const flow = nodes.map((node): FlowNode => {
    const name = String(node['name']);
    switch (node.type) {
      case 'debug':
        return { id: node.id, type: 'test-collect', z: node['z'], name, port: collector.port, label: name, wires: [] };
      case 'mqtt-broker':
        return { ...node, broker: '127.0.0.1', port: String(broker.port) };
      case 'influx-server':
        return { ...node, url: influxd.url };
      case 'http request':
        return { ...node, url: `${influxd.url}/query` };
      default:
        return { ...node, ...change[name] };
    }
  });
  const nodeRed = await startNodeRed({ runtime: '4' });
  await nodeRed.deploy(flow);
  const subscribed = async (since?: number): Promise<void> => {
    for (const { type, topic } of flow) if (type === 'mqtt in') await broker.waitForSubscription(String(topic), since);
  };
  await subscribed();
  return {
    nodeRed,
    broker,
    async restart() {
      const mark = broker.mark();
      await nodeRed.restart();
      await subscribed(mark);
    },
    collector,
    async click(name) {
      const node = nodes.find((one) => one.type === 'inject' && one['name'] === name);
      const { status } = await nodeRed.post(`inject/${node?.id ?? name}`, {});
      expect(status, name).toBe(200);
    },
    shown: (name, count = 1) => collector.waitFor(name, count),
  };
}

test('08: a valve opens when it gets too hot, and closes when it has cooled down', async () => {
  const { click, shown, collector } = await runExample('08');
  // The node that signs may still be connecting, and a reading does not wait.
  await until(
    'the valve has answered',
    () => click('31 °C').then(() => collector.messages('Acknowledged')),
    ({ length }) => length > 0,
    { interval: 200 },
  );
  await click('22 °C');
  const acknowledged = await shown('Acknowledged', 2);
  const positions = acknowledged.map(({ payload }) => (payload as { position: number }).position);
  expect(positions).toEqual([100, 0]);
  expect(acknowledged[0]?.['action']).toMatchObject({ state: 'acknowledged', device: 'house/kitchen' });
  expect(await shown('Published', 2)).toHaveLength(2);
  expect(collector.messages('Failed')).toEqual([]);
  expect(collector.messages('Rejected')).toEqual([]);
});

describe('08: the valve', () => {
  /** Runs the example, and publishes readings as a device does: so many degrees, some milliseconds from now. */
  async function withReadings(change: Record<string, object> = {}) {
    const example = await runExample('08', change);
    const publisher = await startPublisher(example.broker.url);
    const read = (temperature: number, milliseconds = 0, device = 'house/kitchen'): Promise<void> => {
      const time = signedTime(nowNanoseconds() + BigInt(milliseconds) * 1_000_000n);
      const key = deviceKey('example secret, replace it', device);
      return publisher.publish(`sensors/${device}/climate`, sign({ ...time, temperature }, key), { qos: 1 });
    };
    const positions = async (name: string, count: number): Promise<number[]> =>
      (await example.shown(name, count)).map(({ payload }) => (payload as { position: number }).position);
    return { ...example, read, positions };
  }

  test('is not moved by a reading that is old or came late', async () => {
    const { read, positions } = await withReadings();
    await read(31.5, -120_000);
    await read(20.5);
    expect(await positions('Acknowledged', 1)).toEqual([0]);
    await read(31.5, -1000);
    await read(20.5, 1);
    await read(31.5, 2);
    expect(await positions('Acknowledged', 2)).toEqual([0, 100]);
    expect(await positions('Published', 2)).toEqual([0, 100]);
  });

  test('is asked again by the next reading when it has not answered', async () => {
    const { read, positions, collector } = await withReadings({ 'Move the valve': { expires: 3 } });
    // Out of order, says the example.
    const cellar = 'house/cellar';
    await read(31.5, 0, cellar);
    await positions('Failed', 1);
    expect(collector.messages('Failed')[0]?.['rejected']).toMatchObject({ code: 'unacknowledged' });
    await read(27.5, 0, cellar);
    expect(await positions('Published', 2)).toEqual([100, 100]);
  });

  test('is asked anew after a start, whatever it was told before', async () => {
    const { read, positions, restart } = await withReadings();
    await read(31.5);
    await positions('Acknowledged', 1);
    await restart();
    await read(20.5);
    expect(await positions('Acknowledged', 2)).toEqual([100, 0]);
  });
});

test('09: an operator is told of an alarm once, acknowledges it, and hears that it is over', async () => {
  const { click, shown } = await runExample('09');
  const told = async (count: number) =>
    (await shown('For the operator', count)).map(({ payload }) => String(payload).replace(/ \(since.*/, ''));
  await click('Smoke');
  expect(await told(1)).toEqual(['high house kitchen smoke raised']);
  await click('Smoke');
  await click('An old message: no smoke');
  const everything = await shown('Everything', 3);
  const event = ({ alarm }: CollectedMessage) => (alarm as { event: string } | undefined)?.event;
  expect(everything.map(event)).toEqual(['raised', 'repeated', 'ignored']);
  await click('The operator has seen it');
  await told(2);
  await click('What is active?');
  const [, , , , answer] = await shown('Everything', 5);
  expect(answer?.['payload']).toMatchObject([{ state: 'raised', acknowledged: true }]);
  await click('No smoke any more');
  expect(await told(3)).toEqual([
    'high house kitchen smoke raised',
    'high house kitchen smoke acknowledged by Ada',
    'low house kitchen smoke cleared',
  ]);
});

test('10: the log has every step of an action', async () => {
  const { click, shown } = await runExample('10');
  await click('Open');
  await shown('Acknowledged');
  await click('150 %');
  const [failed] = await shown('Failed');
  expect(failed?.['rejected']).toMatchObject({ code: 'invalid-payload' });
  const steps = async (): Promise<unknown[]> => {
    const before = (await shown('Newest first', 0)).length;
    await click('The log');
    const rows = (await shown('Newest first', before + 1)).at(-1)?.['payload'] as { step: string }[];
    return rows.map(({ step }) => step);
  };
  await until('all steps are logged', steps, (seen) => seen.length === 4);
  expect(await steps()).toEqual(['acknowledged', 'published', 'sent', 'created']);
});
