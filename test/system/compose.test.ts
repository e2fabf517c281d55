import { spawnSync } from 'node:child_process';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { chownSync, copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { parse } from 'yaml';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { isListening } from '../support/mosquitto';
import { packageRoot, startNodeRed } from '../support/node-red';
import { freePort } from '../support/ports';
import { run, startChild, type Child } from '../support/processes';
import { tempDirectory } from '../support/temp';
import { until } from '../support/until';

const folder = join(packageRoot, 'examples/compose');
const python = process.env['TEST_PYTHON'] ?? 'python3';
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
const PASSWORD = 'a password of the tests';
const USERS = ['node-red', 'house/kitchen', 'house/cellar'];

interface Service {
  networks: string[];
  ports?: string[];
  environment?: Record<string, string>;
}

describe('compose.yaml', () => {
  const { services, networks } = parse(read('compose.yaml')) as {
    services: Record<string, Service>;
    networks: Record<string, unknown>;
  };

  test('has the broker alone on both networks', () => {
    expect(Object.keys(networks)).toEqual(['devices', 'backend']);
    expect(Object.entries(services).map(([name, service]) => [name, service.networks, service.ports])).toEqual([
      ['mosquitto', ['devices', 'backend'], ['8883:8883']],
      ['influxdb', ['backend'], undefined],
      ['node-red', ['backend'], ['127.0.0.1:1880:1880']],
    ]);
  });

  test('.env.example names every variable that it needs', () => {
    const needed = [...read('compose.yaml').matchAll(/\$\{(\w+):\?/g)].map((match) => match[1]);
    const given = [...read('.env.example').matchAll(/^(\w+)=/gm)].map((match) => match[1]);
    expect(new Set(given)).toEqual(new Set(needed));
  });

  const compose = [['docker', 'compose'], ['docker-compose']].find(
    ([command = '', ...args]) => spawnSync(command, [...args, 'version']).status === 0,
  );
  test.skipIf(compose === undefined)('is what Compose understands', () => {
    const [command = '', ...args] = compose ?? [];
    const variables = [...read('.env.example').matchAll(/^(\w+)=/gm)].map((match): [string, string] => [
      match[1] ?? '',
      'x',
    ]);
    const checked = (env: NodeJS.ProcessEnv) =>
      spawnSync(command, [...args, '-f', join(folder, 'compose.yaml'), 'config'], { env, encoding: 'utf8' });
    const good = checked({ ...process.env, ...Object.fromEntries(variables) });
    expect([good.status, good.stderr]).toEqual([0, '']);
    // It does not start with a secret that is missing.
    expect(checked(process.env).stderr).toContain('see .env.example');
  });
});

test('the image has the pack that lies beside the Dockerfile, else the published one', () => {
  const command = /^RUN (.*)$/m.exec(read('node-red/Dockerfile'))?.[1] ?? '';
  const pack = tempDirectory('compose-pack');
  const installed = () => {
    const script = `npm() { for last; do :; done; echo "$last"; }; ${command.replaceAll('/tmp/pack', pack)}`;
    return spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout.trim();
  };
  const { name } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { name: string };
  expect(installed()).toBe(name);
  const packed = join(pack, `${name}-0.0.0.tgz`);
  writeFileSync(packed, '');
  expect(installed()).toBe(packed);
});

describe('certificates.sh', () => {
  const owner = process.getuid?.() === 0 ? 65_534 : undefined;
  const broker = 1883;

  /** As an ordinary user, where the tests are root. */
  function makeCertificate(place: string, ...names: string[]) {
    return spawnSync(join(place, 'certificates.sh'), ['broker', ...names], {
      encoding: 'utf8',
      ...(owner !== undefined && { uid: owner, gid: owner }),
    });
  }

  test('renews the certificate, and leaves it as it was where that fails', () => {
    const place = tempDirectory('compose-renewal');
    copyFileSync(join(folder, 'certificates.sh'), join(place, 'certificates.sh'));
    if (owner !== undefined) chownSync(place, owner, owner);
    const file = (name: string): string => join(place, 'certificates', name);
    const certificate = () => {
      const pem = new X509Certificate(readFileSync(file('broker.pem')));
      expect(pem.checkPrivateKey(createPrivateKey(readFileSync(file('broker.key'))))).toBe(true);
      expect(pem.verify(new X509Certificate(readFileSync(file('ca.pem'))).publicKey)).toBe(true);
      return pem;
    };
    expect(makeCertificate(place, 'localhost')).toMatchObject({ status: 0 });
    const first = certificate();
    const authority = readFileSync(file('ca.pem'));
    // As README.md has it, and as the broker needs it.
    if (owner !== undefined) chownSync(file('broker.key'), broker, broker);

    expect(makeCertificate(place, 'localhost', '127.0.0.1')).toMatchObject({ status: 0 });
    const second = certificate();
    expect(second.serialNumber).not.toBe(first.serialNumber);
    expect(second.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(readFileSync(file('ca.pem'))).toEqual(authority);
    expect(readdirSync(join(place, 'certificates')).filter((name) => /new|csr|ext/.test(name))).toEqual([]);

    writeFileSync(file('ca.key'), 'not a key');
    expect(makeCertificate(place, 'localhost').status).not.toBe(0);
    expect(certificate().serialNumber).toBe(second.serialNumber);
  });
});

test('settings.js: the editor asks for the password', async () => {
  const settings = join(folder, 'node-red/settings.js');
  // The hash of a password, by Node-RED's own means.
  const hash = await run(process.execPath, [
    '-e',
    `console.log(require(${JSON.stringify(join(packageRoot, 'node_modules/bcryptjs'))}).hashSync('open', 4))`,
  ]);
  process.env['NODE_RED_PASSWORD_HASH'] = hash.trim();
  process.env['NODE_RED_CREDENTIAL_SECRET'] = 'secret';
  onTestFinished(() => {
    delete process.env['NODE_RED_PASSWORD_HASH'];
    delete process.env['NODE_RED_CREDENTIAL_SECRET'];
  });
  const loaded = JSON.parse(
    await run(process.execPath, ['-e', `console.log(JSON.stringify(require(${JSON.stringify(settings)})))`]),
  ) as Record<string, unknown>;
  const { adminAuth, credentialSecret } = loaded;
  const nodeRed = await startNodeRed({ runtime: '4', pack: false, settings: { adminAuth, credentialSecret } });
  expect((await nodeRed.get('flows')).status).toBe(401);
  const token = await nodeRed.login('admin', 'open');
  expect((await nodeRed.get('flows', token)).status).toBe(200);
});

describe('mosquitto.conf', () => {
  const certificates = tempDirectory('compose-certificates');
  let plain = 0;
  let secure = 0;
  let broker: Child;

  /** The broker with the files of the example, at paths and ports of this computer. */
  async function startBroker(change: (configuration: string) => string = (same) => same): Promise<void> {
    const local = tempDirectory('compose');
    [plain, secure] = [await freePort(), await freePort()];
    const passwords = join(local, 'passwords');
    writeFileSync(passwords, '', { mode: 0o600 });
    for (const user of USERS) await run('mosquitto_passwd', ['-b', passwords, user, PASSWORD]);
    writeFileSync(join(local, 'acl'), read('mosquitto/acl'), { mode: 0o600 });
    const configuration = change(read('mosquitto/mosquitto.conf'))
      .replaceAll('/mosquitto/config', local)
      .replaceAll('/mosquitto/certificates', certificates)
      .replaceAll('/mosquitto/data', local)
      .replace('listener 1883', `listener ${plain} 127.0.0.1`)
      .replace('listener 8883', `listener ${secure} 127.0.0.1`);
    const file = join(local, 'mosquitto.conf');
    writeFileSync(file, `${configuration}${process.getuid?.() === 0 ? 'user root\n' : ''}`);
    broker = await startChild('mosquitto', ['-c', file], {
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
      ready: async () => (await isListening(plain)) && isListening(secure),
    });
  }

  async function login(username: string, options: IClientOptions = {}): Promise<MqttClient> {
    const client = await connectAsync(`mqtt://127.0.0.1:${plain}`, {
      protocolVersion: 5,
      username,
      password: PASSWORD,
      reconnectPeriod: 0,
      ...options,
    });
    onTestFinished(() => client.endAsync(true));
    return client;
  }

  const authority = (): Buffer => readFileSync(join(certificates, 'ca.pem'));
  const overTls = (more: IClientOptions = {}): Promise<MqttClient> =>
    login('house/kitchen', { protocol: 'mqtts', host: 'localhost', port: secure, ca: authority(), ...more });

  function received(client: MqttClient): string[] {
    const topics: string[] = [];
    client.on('message', (topic) => topics.push(topic));
    return topics;
  }

  beforeAll(async () => {
    const env = { ...process.env, CERTIFICATES: certificates };
    await run(join(folder, 'certificates.sh'), ['broker', 'localhost', '127.0.0.1'], { env });
    await run(join(folder, 'certificates.sh'), ['device', 'house/kitchen'], { env });
    await startBroker();
  });

  test('lets in nobody without name and password', async () => {
    await expect(login('')).rejects.toThrow(/Not authorized/);
    await expect(login('house/kitchen', { password: 'another' })).rejects.toThrow(/Not authorized/);
    await expect(login('house/garden')).rejects.toThrow(/Not authorized/);
  });

  test('lets a device publish and receive under its own id only', async () => {
    const nodeRed = await login('node-red');
    const kitchen = await login('house/kitchen');
    const cellar = await login('house/cellar');
    const seen = { nodeRed: received(nodeRed), kitchen: received(kitchen), cellar: received(cellar) };
    await nodeRed.subscribeAsync(['sensors/#', 'alarms/#', 'actions/+/+/+/ack'], { qos: 2 });
    for (const device of [kitchen, cellar]) await device.subscribeAsync(['#', 'actions/#', 'sensors/#'], { qos: 1 });
    await kitchen.subscribeAsync('actions/house/kitchen/valve', { qos: 1 });

    const publish = (client: MqttClient, topic: string) => client.publishAsync(topic, 'x', { qos: 1 });
    const allowed = ['sensors/house/kitchen/climate', 'alarms/house/kitchen/smoke', 'actions/house/kitchen/valve/ack'];
    const denied = [
      'sensors/house/cellar/climate',
      'alarms/house/cellar/smoke',
      'actions/house/cellar/valve/ack',
      'actions/house/kitchen/valve',
      'actions/house/cellar/valve',
    ];
    for (const topic of denied) await expect(publish(kitchen, topic)).rejects.toThrow(/Not authorized/);
    await expect(publish(nodeRed, 'sensors/house/kitchen/climate')).rejects.toThrow(/Not authorized/);
    for (const topic of allowed) await publish(kitchen, topic);
    await publish(nodeRed, 'actions/house/kitchen/valve');
    await until('all has come', () => seen.nodeRed.length === 3 && seen.kitchen.length > 0);
    expect(seen.nodeRed).toEqual(allowed);
    expect(new Set(seen.kitchen)).toEqual(new Set(['actions/house/kitchen/valve']));
    expect(seen.cellar).toEqual([]);
  });

  test('has a listener with TLS, whose certificate clients can check', async () => {
    expect((await overTls()).connected).toBe(true);
    await expect(overTls({ ca: [] })).rejects.toThrow(/self-signed|unable to/);
    await expect(overTls({ servername: 'other.example' })).rejects.toThrow(/other\.example/);
    const nodeRed = await login('node-red');
    const seen = received(nodeRed);
    await nodeRed.subscribeAsync('sensors/#');
    const options = ['--tls', '--ca-file', join(certificates, 'ca.pem'), '--port', String(secure), '--count', '1'];
    await run(
      python,
      [
        join(packageRoot, 'examples/devices/python/sensor.py'),
        ...options,
        ...['--username', 'house/kitchen', '--shared-secret', 'x', '--interval', '0.1'],
      ],
      { env: { ...process.env, MQTT_PASSWORD: PASSWORD, PYTHONDONTWRITEBYTECODE: '1' } },
    );
    await until('the reading has come', () => seen.length === 1);
  });

  test('can ask for a certificate of the device, and take its name from there', async () => {
    await broker.stop();
    const more = 'use_identity_as_username true\nrequire_certificate';
    await startBroker((configuration) => configuration.replace('#require_certificate', more));
    await expect(overTls()).rejects.toThrow();
    const own = (end: string): Buffer => readFileSync(join(certificates, `house-kitchen.${end}`));
    const kitchen = await overTls({ cert: own('pem'), key: own('key'), username: '', password: '' });
    // The name in the certificate is the user name, so the ACL applies to it.
    await kitchen.publishAsync('sensors/house/kitchen/climate', 'x', { qos: 1 });
    await expect(kitchen.publishAsync('sensors/house/cellar/climate', 'x', { qos: 1 })).rejects.toThrow(
      /Not authorized/,
    );
  });
});
