import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ids, pipeline, registryDocument } from '../support/flows';
import { addresses, canMakeNamespaces, makeNetworks } from '../support/namespaces';
import { executables, packageRoot } from '../support/node-red';
import { run } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const python = process.env['TEST_PYTHON'] ?? 'python3';
const compose = join(packageRoot, 'examples/compose');
const SECRET = 'example secret, replace it';
const PASSWORD = 'a password of the tests';
const INFLUXDB = 8086;
const NODE_RED = 1880;
const PLAIN = 1883;
const TLS = 8883;

type Networks = Awaited<ReturnType<typeof makeNetworks>>;

/** The broker as examples/compose has it, but for the paths. */
async function startBroker({ broker, backend }: Networks): Promise<string> {
  const folder = tempDirectory('broker');
  const env = { ...process.env, CERTIFICATES: folder };
  await run(join(compose, 'certificates.sh'), ['broker', addresses.brokerForDevices], { env });
  const passwords = join(folder, 'passwords');
  writeFileSync(passwords, '', { mode: 0o600 });
  for (const user of ['node-red', 'house/kitchen']) await run('mosquitto_passwd', ['-b', passwords, user, PASSWORD]);
  const read = (file: string): string => readFileSync(join(compose, 'mosquitto', file), 'utf8');
  writeFileSync(join(folder, 'acl'), read('acl'), { mode: 0o600 });
  const configuration = read('mosquitto.conf').replaceAll(/\/mosquitto\/(config|certificates|data)/g, folder);
  writeFileSync(join(folder, 'mosquitto.conf'), `${configuration}user root\n`);
  await broker.start('mosquitto', ['-c', join(folder, 'mosquitto.conf')], {
    ready: () => backend.reaches(addresses.brokerForBackend, PLAIN),
  });
  return join(folder, 'ca.pem');
}

async function startInfluxdb({ backend }: Networks): Promise<(statement: string) => Promise<string>> {
  const folder = tempDirectory('influxd');
  const lines = [
    'reporting-disabled = true',
    `[meta]\ndir = "${folder}/meta"`,
    `[data]\ndir = "${folder}/data"\nwal-dir = "${folder}/wal"`,
    `[http]\nbind-address = "${addresses.backend}:${INFLUXDB}"\nlog-enabled = false`,
    '[monitor]\nstore-enabled = false',
  ];
  writeFileSync(join(folder, 'influxdb.conf'), lines.join('\n'));
  await backend.start('influxd', ['-config', join(folder, 'influxdb.conf')], {
    ready: () => backend.reaches(addresses.backend, INFLUXDB),
  });
  const script = `
    const body = new URLSearchParams({ db: 'iot', q: process.argv[1] });
    fetch('http://${addresses.backend}:${INFLUXDB}/query', { method: 'POST', body }).then(async (answer) => console.log(await answer.text()));`;
  return (statement) => backend.run(process.execPath, ['-e', script, statement]);
}

async function startNodeRed({ backend }: Networks): Promise<void> {
  const userDir = tempDirectory('node-red');
  mkdirSync(join(userDir, 'node_modules'));
  symlinkSync(packageRoot, join(userDir, 'node_modules/node-red-contrib-mqtt2influx'), 'dir');
  const { flows, credentials } = pipeline({
    brokerPort: PLAIN,
    influxUrl: `http://${addresses.backend}:${INFLUXDB}`,
    collectorPort: 0,
    registry: registryDocument.replace('count: {', 'humidity: { type: float, optional: true }\n      count: {'),
    secret: SECRET,
    keyMode: 'master',
    // What node-red may subscribe to.
    topic: 'sensors/#',
  });
  // The collector is the test's, which is on neither network.
  const own = flows
    .filter(({ type }) => type !== 'test-collect')
    .map((node) => (node.id === ids.broker ? { ...node, broker: addresses.brokerForBackend } : node))
    .map((node) => {
      const wires = node['wires'] as string[][] | undefined;
      return wires ? { ...node, wires: wires.map((ends) => ends.filter((end) => !end.startsWith('collect'))) } : node;
    });
  writeFileSync(join(userDir, 'flows.json'), JSON.stringify(own));
  const secrets = { ...credentials, [ids.broker]: { user: 'node-red', password: PASSWORD } };
  writeFileSync(join(userDir, 'flows_cred.json'), JSON.stringify(secrets));
  const settings = {
    uiHost: addresses.backend,
    uiPort: NODE_RED,
    flowFile: 'flows.json',
    credentialSecret: false,
    telemetry: { enabled: false },
    externalModules: { autoInstall: false },
  };
  writeFileSync(join(userDir, 'settings.js'), `module.exports = ${JSON.stringify(settings)};\n`);
  const { node, folder } = executables('4');
  const nodeRed = await backend.start(node, [join(folder, 'red.js'), '-u', userDir], {
    cwd: userDir,
    ready: () => backend.reaches(addresses.backend, NODE_RED),
  });
  await until('Node-RED is connected to the broker', () => /Connected to broker/.test(nodeRed.output()));
}

describe.skipIf(!canMakeNamespaces())('two networks (needs root, who may make network namespaces)', () => {
  let networks: Networks;
  let authority = '';
  let query: (statement: string) => Promise<string>;

  beforeAll(async () => {
    networks = await makeNetworks();
    [authority, query] = await Promise.all([startBroker(networks), startInfluxdb(networks)]);
    await query('CREATE DATABASE iot WITH DURATION 7d NAME raw');
    await startNodeRed(networks);
  });

  test('a device reaches the broker, and neither InfluxDB nor Node-RED', async () => {
    const { devices, backend } = networks;
    const from = async (who: typeof devices, host: string): Promise<Record<string, boolean>> => ({
      broker: await who.reaches(host, TLS),
      influxdb: await who.reaches(addresses.backend, INFLUXDB),
      nodeRed: await who.reaches(addresses.backend, NODE_RED),
    });
    expect(await from(backend, addresses.brokerForBackend)).toEqual({ broker: true, influxdb: true, nodeRed: true });
    expect(await from(devices, addresses.brokerForDevices)).toEqual({ broker: true, influxdb: false, nodeRed: false });
  });

  test('its readings are in InfluxDB all the same', async () => {
    const options = ['--broker', addresses.brokerForDevices, '--tls', '--ca-file', authority];
    const device = ['--username', 'house/kitchen', '--master-secret', SECRET, '--count', '3', '--interval', '0.1'];
    await networks.devices.run(
      python,
      [join(packageRoot, 'examples/devices/python/sensor.py'), ...options, ...device],
      {
        env: { ...process.env, MQTT_PASSWORD: PASSWORD, PYTHONDONTWRITEBYTECODE: '1' },
      },
    );
    const stored = await until(
      'three readings are stored',
      () => query('SELECT count(temperature) FROM raw.climate GROUP BY site, device'),
      (answer) => answer.includes(',3]'),
    );
    expect(stored).toContain('"tags":{"device":"kitchen","site":"house"}');
  });
});
