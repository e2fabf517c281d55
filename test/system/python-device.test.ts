import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Verifier, type Verdict } from '../../nodes/hmac-verify/verify';
import { Keyring } from '../../nodes/iot-keyring/keyring';
import { loadRegistry } from '../../nodes/lib/registry/load';
import { makeCertificates } from '../support/certificates';
import { startMosquitto, type Mosquitto } from '../support/mosquitto';
import { freePort } from '../support/ports';
import { run, startChild } from '../support/processes';
import { until } from '../support/until';

const python = process.env['TEST_PYTHON'] ?? 'python3';
const root = join(__dirname, '../..');
const folder = join(root, 'examples/devices/python');
const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
const SECRET = 'example secret, replace it';

interface ExampleNode {
  type: string;
  document?: string;
}

/** Verifies as the example flow beside the device does. */
function exampleVerifier(): Verifier {
  const flow = JSON.parse(
    readFileSync(join(folder, '01 - Check the messages of a device.json'), 'utf8'),
  ) as ExampleNode[];
  const loaded = loadRegistry(flow.find((node) => node.type === 'iot-registry')?.document ?? '');
  if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
  const keyring = new Keyring({ mode: 'master', encoding: 'text', secret: SECRET });
  return new Verifier({ registry: () => loaded.registry, keyring, maxBytes: 65_536 });
}

async function subscribe(broker: Mosquitto, ca?: string): Promise<Verdict[]> {
  const verifier = exampleVerifier();
  const verdicts: Verdict[] = [];
  const client = await connectAsync(broker.url, ca === undefined ? {} : { ca: readFileSync(ca) });
  onTestFinished(() => client.endAsync(true));
  client.on('message', (topic, message) => verdicts.push(verifier.verify(message, topic)));
  await client.subscribeAsync('sensors/#');
  return verdicts;
}

/** Passes connections on from one loopback port to another. */
async function forward(from: number, to: number): Promise<void> {
  const server = createServer((socket) => {
    const onward = connect(to, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(from, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
}

const device = (broker: { port: number }, ...options: string[]): string[] => [
  join(folder, 'sensor.py'),
  ...['--port', String(broker.port), '--interval', '0.1', '--master-secret', SECRET, ...options],
];

describe('the device in Python', () => {
  test.each([
    ['3.1.1', 'p2'],
    ['5', 'p5'],
  ])('publishes what verifies, over MQTT %s, under a client id of its own', async (protocol, shown) => {
    const broker = await startMosquitto();
    const verdicts = await subscribe(broker);
    const options = ['--broker', '127.0.0.1', '--protocol', protocol, '--count', '2'];
    await Promise.all([1, 2].map(() => run(python, device(broker, ...options), { env })));

    await until('four messages have come', () => verdicts.length === 4);
    expect(verdicts.map((verdict) => verdict.ok)).toEqual([true, true, true, true]);
    const clients = [...broker.log().matchAll(/as (house-kitchen-\w+) \((p\d),/g)];
    expect(new Set(clients.map((client) => client[1])).size).toBe(2);
    expect(clients.map((client) => client[2])).toEqual([shown, shown]);
  });

  test('uses TLS and checks the certificate of the broker', async () => {
    const certificates = await makeCertificates();
    const broker = await startMosquitto({ tls: certificates });
    const verdicts = await subscribe(broker, certificates.authority);
    const options = ['--broker', 'localhost', '--tls', '--count', '1'];
    await run(python, device(broker, ...options, '--ca-file', certificates.authority), { env });
    await until('the message has come', () => verdicts.length === 1);

    const distrusting = await startChild(python, device(broker, ...options), { env });
    await until('it refuses the certificate', () => distrusting.output().includes('CERTIFICATE_VERIFY_FAILED'));
    await distrusting.stop();
    expect(verdicts).toHaveLength(1);
  });

  test('keeps readings while the broker cannot be reached and sends them with their own time', async () => {
    const broker = await startMosquitto();
    const verdicts = await subscribe(broker);
    const port = await freePort();
    const child = await startChild(python, device({ port }, '--broker', '127.0.0.1'), { env });
    await until('it finds no broker', () => child.output().includes('cannot connect'));
    const reachable = Date.now();
    await forward(port, broker.port);
    await until('readings come', () => verdicts.length > 3);
    await child.stop();

    expect(verdicts.every((verdict) => verdict.ok)).toBe(true);
    const times = verdicts.map((verdict) => (verdict.ok ? verdict.verified.at : 0));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times[0]).toBeLessThan(reachable);
  });

  test('is what the README shows', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const block = (language: string): string =>
      new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(readme)?.[1] ?? '';
    expect(await run(python, ['-c', block('python')], { env })).toBe(block('text'));
    const again = `
import base64, json
from signed_device.message import device_key, sign
message = json.loads(${JSON.stringify(block('text'))})
print(sign(message["payload"], device_key(b"${SECRET}", "house/kitchen")))`;
    expect(await run(python, ['-c', again], { cwd: folder, env })).toBe(block('text'));
  });
});
