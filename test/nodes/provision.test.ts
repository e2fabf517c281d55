import { describe, expect, test } from 'vitest';
import { startCollector, type Collector } from '../support/collector';
import { collectNode } from '../support/flows';
import { startInfluxd, type Influxd } from '../support/influxd';
import { packageRoot, startNodeRed, type FlowNode, type NodeRed, type Runtime } from '../support/node-red';
import { watchStatus } from '../support/status';
import { until } from '../support/until';

const registry = `
version: 1
buckets:
  raw: { retention: 1d }
  averages: { retention: 30d }
topics:
  sensors/{site}/climate:
    kind: sensor
    bucket: raw
    measurement: climate
    tags: { site: "{site}" }
    fields: { temperature: { type: float } }
`;

/** `POST /do` with the properties of a message sends that message to the node. */
function flow(influxUrl: string, collector: Collector, more: Record<string, unknown> = {}): FlowNode[] {
  const z = 'tab';
  const at = { z, x: 1, y: 1 };
  const [port, func] = [
    collector.port,
    'const { payload } = msg;\ndelete msg.payload;\nreturn Object.assign(msg, payload);',
  ];
  return [
    { id: z, type: 'tab', label: 'Provision' },
    { id: 'registry', type: 'iot-registry', version: 1, name: '', source: 'inline', document: registry, file: '' },
    {
      ...{ id: 'server', type: 'influx-server', version: 1, name: '', url: influxUrl, serverVersion: '1' },
      ...{ organization: '', database: 'iot', tls: '', timeout: 10, queueLimit: 10 },
    },
    { ...at, id: 'in', type: 'http in', name: '', url: '/do', method: 'post', wires: [['message', 'answer']] },
    { ...at, id: 'answer', type: 'http response', name: '', statusCode: '204', headers: {}, wires: [] },
    { ...at, id: 'message', type: 'function', name: '', func, outputs: 1, wires: [['provision']] },
    {
      ...{
        ...at,
        id: 'provision',
        type: 'influx-provision',
        version: 1,
        name: '',
        registry: 'registry',
        server: 'server',
      },
      ...{ schedule: '', wires: [['report'], ['progress']], ...more },
    },
    { ...at, id: 'catch', type: 'catch', name: '', scope: ['provision'], uncaught: false, wires: [['errors']] },
    collectNode('report', z, port, 'report', 'payload'),
    collectNode('progress', z, port, 'progress', 'payload'),
    collectNode('errors', z, port, 'errors', 'error'),
  ];
}

interface Rig {
  influxd: Influxd;
  collector: Collector;
  nodeRed: NodeRed;
  send: (message: Record<string, unknown>) => Promise<void>;
  shows: (pattern: RegExp) => Promise<unknown>;
}

async function start(runtime: Runtime, more: Record<string, unknown> = {}): Promise<Rig> {
  const [influxd, collector] = await Promise.all([startInfluxd(), startCollector()]);
  const nodeRed = await startNodeRed({ runtime, flows: flow(influxd.url, collector, more) });
  const status = watchStatus(packageRoot, nodeRed.url);
  return {
    influxd,
    collector,
    nodeRed,
    send: async (message) => {
      expect((await nodeRed.post('do', message)).status).toBe(204);
    },
    shows: (pattern) =>
      until(
        `the status matches ${String(pattern)}`,
        () => status('provision'),
        (seen) => pattern.test(`${seen?.fill ?? ''} ${seen?.text ?? ''}`),
      ),
  };
}

describe.each<Runtime>(['4', '5'])('influx-provision on Node-RED %s', (runtime) => {
  test('plan, apply, drift, a confirmation, and a server that is away', async () => {
    const { influxd, collector, nodeRed, send, shows } = await start(runtime);
    await send({ payload: 'plan' });
    const [plan] = await collector.waitFor('report');
    const missing = { state: 'missing', change: 'create', note: 'the database "iot" is created with it' };
    expect(plan?.['payload']).toMatchObject([
      { bucket: 'raw', wanted: { retention: 86_400 }, ...missing },
      { bucket: 'averages', wanted: { retention: 2_592_000 }, ...missing },
    ]);
    await shows(/^red 2 missing$/);

    await send({ payload: { any: 'thing' }, command: 'apply' });
    const [, report] = await collector.waitFor('report', 2);
    expect(report?.['payload']).toMatchObject([{ outcome: 'done' }, { outcome: 'done' }]);
    expect(collector.messages('progress').map(({ payload }) => payload)).toMatchObject([
      { bucket: 'raw', outcome: 'done' },
      { bucket: 'averages', outcome: 'done' },
    ]);
    await shows(/^green in order$/);

    await influxd.query('ALTER RETENTION POLICY "raw" ON "iot" DURATION 7d SHARD DURATION 1d');
    await influxd.query('CREATE RETENTION POLICY "old" ON "iot" DURATION INF REPLICATION 1');
    await send({ payload: 'apply' });
    const [, , unconfirmed] = await collector.waitFor('report', 3);
    expect(unconfirmed?.['payload']).toMatchObject([
      { bucket: 'raw', outcome: 'unconfirmed', found: { retention: 604_800 } },
      { bucket: 'averages', state: 'same' },
      { bucket: 'old', state: 'surplus' },
    ]);
    await shows(/^red 1 different · 1 surplus$/);
    await send({ payload: 'apply', confirm: 'shorten' });
    await shows(/^green in order · 1 surplus$/);
    const policies = await influxd.query('SHOW RETENTION POLICIES ON "iot"');
    expect(policies.map(({ name, duration }) => `${name ?? ''} ${duration ?? ''}`).sort()).toEqual([
      'averages 720h0m0s',
      'old 0s',
      'raw 24h0m0s',
    ]);

    await send({ payload: 'delete everything' });
    await influxd.stop();
    await send({ payload: 'apply' });
    const errors = await collector.waitFor('errors', 2);
    expect(errors.map(({ error }) => error)).toMatchObject([
      { code: 'provision-failed' },
      { code: 'provision-failed', message: expect.stringContaining('Nothing listens at') as string },
    ]);
    await shows(/^red Nothing listens at/);

    const metrics = (await nodeRed.get('mqtt2influx/metrics')).text;
    expect(metrics).toContain('mqtt2influx_messages_received_total{node="provision",type="influx-provision"} 6');
    expect(metrics).toContain('mqtt2influx_messages_provisioned_total{node="provision",command="apply"} 3');
    expect(metrics).toContain('mqtt2influx_buckets{node="provision",state="surplus"} 1');
  });

  test('checks by itself at the start and by its schedule, and sends what is not in order', async () => {
    const { influxd, collector, send, shows } = await start(runtime, { schedule: '* * * * * *' });
    const [first] = await collector.waitFor('report');
    expect(first?.['payload']).toMatchObject([{ state: 'missing' }, { state: 'missing' }]);
    await send({ payload: 'apply' });
    await shows(/^green in order$/);
    await influxd.query('DROP RETENTION POLICY "averages" ON "iot"');
    await shows(/^red 1 missing$/);
  });

  test('without a server it says so', async () => {
    const { collector, send, shows } = await start(runtime, { server: 'gone' });
    await shows(/^red not configured$/);
    await send({ payload: 'plan' });
    expect((await collector.waitFor('errors'))[0]?.['error']).toMatchObject({ code: 'not-configured' });
  });
});
