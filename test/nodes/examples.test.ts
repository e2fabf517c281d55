// The examples do what their comments say.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCollector, type CollectedMessage, type Collector } from '../support/collector';
import { targetKinds, type Target } from '../support/facade/targets';
import { startInfluxd, type Influxd } from '../support/influxd';
import { deviceKey, nowNanoseconds, sign, signedTime } from '../support/messages';
import { startMosquitto, type Mosquitto } from '../support/mosquitto';
import { packageRoot, startNodeRed, type FlowNode, type NodeRed } from '../support/node-red';
import { startPublisher } from '../support/publisher';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const folder = join(packageRoot, 'examples');

interface RunningExample {
  nodeRed: NodeRed;
  influxd: Influxd;
  broker: Mosquitto;
  /** Starts Node-RED again, and waits until the flow has subscribed. */
  restart: () => Promise<void>;
  /** Clicks the button of an inject node. */
  click: (name: string) => Promise<void>;
  /** Waits until a debug node has got a message, and returns all of its messages. */
  shown: (name: string, count?: number) => Promise<CollectedMessage[]>;
  collector: Collector;
}

interface RunOptions {
  /** Options by the names of nodes. */
  change?: Record<string, object>;
  /** What the dialog of the server says; default: a 1.x of the test. */
  server?: object;
}

/** Examples as they are after their import: what they share is there once. */
function readExamples(numbers: readonly string[]): FlowNode[] {
  const files = numbers.map((number) => readdirSync(folder).find((name) => name.startsWith(`${number} - `)) ?? '');
  const nodes = files.flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as FlowNode[]);
  return [...new Map(nodes.map((node) => [node.id, node])).values()];
}

function runExample(number: string, change: Record<string, object> = {}): Promise<RunningExample> {
  return runExamples([number], { change });
}

/** Examples with their debug nodes watched, against servers of the test. */
async function runExamples(numbers: readonly string[], options: RunOptions = {}): Promise<RunningExample> {
  const { change = {}, server } = options;
  const nodes = readExamples(numbers);
  const [broker, influxd, collector] = await Promise.all([startMosquitto(), startInfluxd(), startCollector()]);
  const flow = nodes.map((node): FlowNode => {
    const name = String(node['name']);
    switch (node.type) {
      case 'debug':
        return { id: node.id, type: 'test-collect', z: node['z'], name, port: collector.port, label: name, wires: [] };
      case 'mqtt-broker':
        return { ...node, broker: '127.0.0.1', port: String(broker.port) };
      case 'influx-server':
        return { ...node, ...(server ?? { url: influxd.url }) };
      case 'influx-backup':
        return { ...node, directory: tempDirectory('copies') };
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
    influxd,
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
    'high house kitchen smoke cleared',
  ]);
});

test('10: the log has every step of an action', async () => {
  const { click, shown, influxd } = await runExample('10');
  await click('Open');
  await shown('Acknowledged');
  await click('150 %');
  const [failed] = await shown('Failed');
  expect(failed?.['rejected']).toMatchObject({ code: 'invalid-payload' });
  const steps = async (): Promise<(string | undefined)[]> => {
    const rows = await influxd.query('SELECT "step", "id" FROM "iot"."events"."actions" ORDER BY time DESC');
    return rows.map(({ step }) => step);
  };
  await until('all steps are logged', steps, (seen) => seen.length === 4);
  expect(await steps()).toEqual(['acknowledged', 'published', 'sent', 'created']);
});

test('03: each message leaves by the output of its kind', async () => {
  const { click, shown } = await runExample('03');
  for (const [button, output] of [
    ...([['A sensor reading', 'Sensor'] as const, ['An alarm', 'Alarm'], ['An action', 'Action']] as const),
    ...([
      ['A temperature that is text', 'Not as registered'] as const,
      ['A topic nobody registered', 'Not verified'],
    ] as const),
  ]) {
    await click(button);
    expect(await shown(output), button).toHaveLength(1);
  }
});

test('02: what is signed by its device just now is verified', async () => {
  const { click, shown } = await runExample('02');
  await click('Signed just now');
  for (const button of ['Signed two days ago', 'Signed with another key', 'Not a signed message']) await click(button);
  expect(await shown('Verified')).toHaveLength(1);
  const rejected = await shown('Rejected', 3);
  expect(rejected.map((message) => (message['rejected'] as { code: string }).code).sort()).toEqual([
    'bad-signature',
    'malformed',
    'stale',
  ]);
});

describe.each(targetKinds())('the examples on $name', ({ version, start }) => {
  let target: Target;

  beforeAll(async () => {
    target = await start();
  });

  afterAll(async () => {
    await target.cleanUp('raw', 'averages', 'events');
    target.assertHonest();
  });

  /** What the dialog of the server says: all that an operator has to set. */
  function dialog(): object {
    const { url, organization = '', database = '', token, username, password } = target.options;
    return { url, serverVersion: version, organization, database, credentials: { token, username, password } };
  }

  // On 3.x the example's grace has to pass first, which is half a minute.
  test('make the buckets, and write, aggregate, back up and log there', { timeout: 240_000 }, async () => {
    const { click, shown, collector } = await runExamples(['04', '06', '07', '10'], { server: dialog() });
    await shown('Buckets');
    await click('A point');
    expect(await shown('Written')).not.toEqual([]);
    await click('A reading of ten minutes ago');
    // Where nothing is written over, a window waits for the whole grace of the example.
    await collector.waitFor('Windows computed', 1, 90_000);
    await click('Open');
    await shown('Acknowledged');
    await click('Back up now');
    // A year of days is looked at, each once.
    const [result] = await collector.waitFor('Result', 1, 120_000);
    expect(result?.['payload']).toMatchObject({ ok: true });
    expect(collector.messages('Error')).toEqual([]);
  });
});
