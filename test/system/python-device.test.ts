import { readFileSync, rmSync, writeFileSync } from 'node:fs';
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
import { tempDirectory } from '../support/temp';
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

/** A device in the folder of its own, with a clock that the test controls; see the program. */
const valve = (port: number, where: string, ...options: string[]): string[] => [
  ...[join(root, 'test/support/devices/python/valve.py'), folder, '--broker', '127.0.0.1', '--port', String(port)],
  ...['--master-secret', SECRET, '--folder', where, ...options],
];

describe('the valve in Python', () => {
  test('does not even connect before the clock is right', async () => {
    const broker = await startMosquitto();
    const where = tempDirectory('valve');
    writeFileSync(join(where, 'clock-wrong'), '');
    const child = await startChild(python, valve(broker.port, where), { env });
    await until('it waits', () => child.output().includes('waiting until NTP has set the clock'));
    expect(broker.clientIds()).toEqual([]);
    rmSync(join(where, 'clock-wrong'));
    await broker.waitForSubscription('actions/house/kitchen/valve');
    expect((await child.stop()).code).toBe(0);
  });

  test('stops while it waits for the clock, and does not wait where it is told that the clock is right', async () => {
    const broker = await startMosquitto();
    const where = tempDirectory('valve');
    writeFileSync(join(where, 'clock-wrong'), '');
    const waiting = await startChild(python, valve(broker.port, where), { env });
    await until('it waits', () => waiting.output().includes('waiting until'));
    expect((await waiting.stop()).code).toBe(0);
    expect(broker.clientIds()).toEqual([]);
    await startChild(python, valve(broker.port, where, '--clock-is-right'), { env });
    await broker.waitForSubscription('actions/house/kitchen/valve');
  });

  test('asks Linux whether the clock is right', async () => {
    const asked = await run(python, ['-c', 'from signed_device.clock import *; print(is_synchronised())'], {
      cwd: folder,
      env,
    });
    expect(asked).toMatch(/^(True|False)\n$/);
  });

  test('refuses to start beside another one with the same memory', async () => {
    const broker = await startMosquitto();
    const where = tempDirectory('valve');
    const first = await startChild(python, valve(broker.port, where), { env });
    await broker.waitForSubscription('actions/house/kitchen/valve');
    const second = await startChild(python, valve(broker.port, where, '--client-id', 'second'), { env });
    expect((await second.exited).code).toBe(1);
    expect(second.output()).toContain('another process performs actions with the same memory');
    expect(broker.clientIds()).toHaveLength(1);
    await first.kill();
    // A lock does not outlive its process.
    const since = broker.mark();
    await startChild(python, valve(broker.port, where), { env });
    await broker.waitForSubscription('actions/house/kitchen/valve', since);
  });

  test.each(['…', 'the key of this device', 'AAAA', 'bW9yZSB0aGFuIHNpeHRlZW4gYnl0ZX'])(
    'refuses to start with the key %j',
    async (key) => {
      const file = join(tempDirectory('key'), 'device.key');
      writeFileSync(file, key);
      const child = await startChild(python, [join(folder, 'valve.py'), '--key-file', file], { env });
      expect((await child.exited).code).toBe(2);
      expect(child.output()).toMatch(/the key is not base64|the key has 3 bytes, it needs 16 at least/);
    },
  );

  test('never performs again what its hardware cannot tell, whatever comes in between', async () => {
    const program = `
import os, sys, time
from signed_device import ActionReceiver, PerformedActions, sign, stamped
key, path, moves = b"k" * 32, os.path.join(sys.argv[1], "p"), []
def action(id):
    return sign(stamped({"id": id, "expires": int(time.time()) + 60}), key).encode()
memory = PerformedActions(path)
memory.begin("a", int(time.time()) + 60, (1, 0))
memory.close()
memory = PerformedActions(path)
receiver = ActionReceiver(key, memory, moves.append)
a, b = action("a"), action("b")
codes = [receiver.receive(message).code for message in (b, a)]
memory.close()
# Afterwards the hardware would say no.
receiver = ActionReceiver(key, PerformedActions(path), moves.append, lambda action: False)
print(*codes, receiver.receive(a).code, len(moves))`;
    const output = await run(python, ['-c', program, tempDirectory('memory')], { cwd: folder, env });
    expect(output).toBe('performed interrupted interrupted 1\n');
  });

  test('keeps its memory short, and what has not expired in it', async () => {
    const program = `
import os, sys
from signed_device import performed
from signed_device.performed import PerformedActions
os.fsync = lambda file: None
now = [1_700_000_000]
path = os.path.join(sys.argv[1], "p")
memory = PerformedActions(path, lambda: now[0])
most = 0
for minute in range(20_000):
    now[0] += 60
    memory.begin(str(minute), now[0] + 60, (1, 0))
    memory.done(str(minute))
    if minute % 100 == 0:
        with open(path) as file:
            most = max(most, len(file.readlines()))
memory.close()
memory = PerformedActions(path, lambda: now[0])
# A day of one action a minute is 1440 actions.
print(most, memory.state("19999"), memory.state("18600"), memory.state("1"))`;
    const output = await run(python, ['-c', program, tempDirectory('memory')], { cwd: folder, env });
    const [most, ...states] = output.trim().split(' ');
    expect(states).toEqual(['done', 'done', 'None']);
    expect(Number(most)).toBeGreaterThan(1440);
    expect(Number(most)).toBeLessThan(3 * 1440);
  });
});
