import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Influx2Facade } from '../support/facade/influx2';
import { Influx3Facade } from '../support/facade/influx3';
import { startInfluxd } from '../support/influxd';
import { run, startChild, type Child } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const program = join(__dirname, '../../demo/start.mjs');
const CODES = [
  ...['malformed', 'too-large', 'bad-signature', 'no-key', 'bad-timestamp', 'stale', 'future'],
  'invalid-payload',
];

const COUNTED = [
  ...['sensor points in InfluxDB', 'late points in InfluxDB', 'readings in minute 1', 'readings in minute 2'],
  ...['alarms raised', 'alarms cleared', 'changes in InfluxDB'],
  ...['actions performed', 'actions acknowledged', 'their steps in InfluxDB'],
  ...['raw', 'averages', 'events'].map((name) => `retention of ${name}, s`),
  ...['raw', 'events'].map((name) => `copied of ${name}, \\d{4}-\\d\\d-\\d\\d`),
];

/** Without the variables that name an InfluxDB to the demo, but for the given ones. */
function environment(folder: string, variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('INFLUX_'));
  return { ...Object.fromEntries(inherited), DEMO_FOLDER: folder, ...variables };
}

/** The processes that work in the folder or name it; Node-RED replaces its command line, so that alone does not tell. */
async function leftIn(folder: string): Promise<string[]> {
  const processes = await run('ps', ['-ww', '-eo', 'pid=,args=']);
  return processes.split('\n').filter((line) => line.includes(folder) || directoryOf(line).startsWith(folder));
}

function directoryOf(line: string): string {
  try {
    return readlinkSync(`/proc/${line.trim().split(' ')[0]}/cwd`);
  } catch {
    return ''; // it has ended meanwhile
  }
}

async function expectCheckPasses(variables: NodeJS.ProcessEnv = {}): Promise<void> {
  const folder = tempDirectory('demo');
  const child = await startChild(process.execPath, [program, '--check'], { env: environment(folder, variables) });
  const { code } = await child.exited;
  expect(child.output()).toMatch(/\n\d+ passed, 0 failed\n/);
  expect(code, child.output()).toBe(0);
  for (const what of [...CODES.map((name) => `rejected: ${name}`), ...COUNTED]) {
    const [, expected, seen] = new RegExp(`^${what} +(\\d+) +(\\d+)  ok$`, 'm').exec(child.output()) ?? [];
    expect(Number(seen), what).toBeGreaterThan(0);
    expect(seen).toBe(expected);
  }
  expect(child.output()).toMatch(/^averages of minute 2 +right +right {2}ok$/m);
  expect(child.output()).toMatch(/^proof of the copies +good +good {2}ok$/m);
  // There are copies, and points in them.
  expect(child.output()).toMatch(/^copied of raw, [0-9-]+ +[1-9]\d* +[1-9]\d* {2}ok$/m);
  expect(await leftIn(folder)).toEqual([]);
}

describe('the demo', () => {
  test('finds every point and every rejection where it belongs', () => expectCheckPasses());

  test('uses an InfluxDB 1.x with a password that the environment names', async () => {
    const admin = { username: 'demo', password: 'secret of the demo' };
    const influxd = await startInfluxd({ admin });
    await expectCheckPasses({
      INFLUX_URL: influxd.url,
      INFLUX_DATABASE: 'demo',
      INFLUX_USERNAME: admin.username,
      INFLUX_PASSWORD: admin.password,
    });
  });

  test('uses an InfluxDB 2.x that the environment names', async () => {
    const facade = await Influx2Facade.start(await startInfluxd(), {
      organization: 'home',
      token: 'token of the demo',
    });
    await expectCheckPasses({ INFLUX_URL: facade.url, INFLUX_ORG: 'home', INFLUX_TOKEN: 'token of the demo' });
    facade.assertHonest();
  });

  test('uses an InfluxDB 3.x that the environment names', async () => {
    const facade = await Influx3Facade.start(await startInfluxd(), { token: 'token of the demo' });
    await expectCheckPasses({ INFLUX_URL: facade.url, INFLUX_TOKEN: 'token of the demo' });
    facade.assertHonest();
  });

  test('shows each node at work, stops cleanly on Ctrl-C, and only one runs in a folder', async () => {
    const folder = tempDirectory('demo');
    const start = (): Promise<Child> => startChild(process.execPath, [program], { env: environment(folder, {}) });
    const demo = await start();
    await until('messages are counted', () => /\d+ received/.test(demo.output()), Boolean, { deadline: 60_000 });
    for (const what of [
      ...['influx-provision   retentions: raw 7d', 'influx-aggregate   cabinet at', 'influx-backup      verified: '],
      ...['alarm-state        smoke at cellar/ceiling', 'iot-sign-publish   cellar/heater'],
    ]) {
      await until(what, () => demo.output().includes(what), Boolean, { deadline: 60_000 });
    }

    const second = await start();
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.output()).toContain(`running already, as process ${demo.pid}`);

    await demo.kill('SIGINT');
    expect(await demo.exited).toEqual({ code: 0, signal: null });
    expect(await leftIn(folder)).toEqual([]);
  });

  test('cleans up behind one that was killed', async () => {
    const folder = tempDirectory('demo');
    const start = (): Promise<Child> => startChild(process.execPath, [program], { env: environment(folder, {}) });
    const killed = await start();
    await until('Node-RED runs', () => killed.output().includes('Editor'), Boolean, { deadline: 60_000 });
    await killed.kill();
    expect((await leftIn(folder)).length).toBeGreaterThan(0);

    const next = await start();
    await until('Node-RED runs again', () => next.output().includes('Editor'), Boolean, { deadline: 60_000 });
    expect(next.output()).toContain('left running by a demo that was killed');
    await next.kill('SIGINT');
    expect(await next.exited).toEqual({ code: 0, signal: null });
    expect(await leftIn(folder)).toEqual([]);
  });

  test('names what is wrong with the InfluxDB it is given', async () => {
    const folder = tempDirectory('demo');
    const env = environment(folder, { INFLUX_URL: 'http://127.0.0.1:9' });
    const child = await startChild(process.execPath, [program, '--check'], { env });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.output()).toContain('InfluxDB does not answer at INFLUX_URL, http://127.0.0.1:9.');
    expect(await leftIn(folder)).toEqual([]);
  });
});
