import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { connectAsync } from 'mqtt';
import { atEndOfFile } from '../cleanup';
import { until } from '../until';

export interface BridgedDevice {
  /** What the device has printed. */
  log(): string;
  /** Messages that it has handled. */
  judged(): number;
  /** Whether it has ended by itself. */
  ended(): boolean;
  /** SIGKILL; the broker sends again what was not handled. */
  kill(): Promise<void>;
}

/**
 * Runs a program that has no network of its own as a device at a broker, in a session of its own. It reads lines
 * `message <topic> <hexadecimal>` and writes `subscribe <topic>`, `publish <topic> <hexadecimal>` and `handled`. A message is
 * acknowledged to the broker when the program has handled it, as the MQTT clients of boards do.
 */
export async function startBridgedDevice(
  broker: string,
  clientId: string,
  command: string,
  args: string[],
  cwd: string,
): Promise<BridgedDevice> {
  let log = '';
  let subscribed = false;
  let judged = 0;
  const handled: (() => void)[] = [];
  const client = await connectAsync(broker, { clientId, clean: false, reconnectPeriod: 200 });
  const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(child, 'close');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    await client.endAsync(true);
  };
  atEndOfFile(kill);
  client.on('error', (error) => (log += `${error.message}\n`));
  client.handleMessage = (packet, acknowledge) => {
    handled.push(acknowledge);
    child.stdin.write(`message ${packet.topic} ${Buffer.from(packet.payload).toString('hex')}\n`);
  };
  // A program that has ended reads no more; the test sees what is missing.
  child.stdin.on('error', (error) => (log += `${error.message}\n`));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [command, topic = '', hexadecimal = ''] = line.split(' ');
    if (command === 'handled') {
      judged++;
      handled.shift()?.();
    } else if (command === 'publish') client.publish(topic, Buffer.from(hexadecimal, 'hex'));
    else if (command === 'subscribe') client.subscribe(topic, { qos: 1 }, () => (subscribed = true));
    else log += `${line}\n`;
  });
  const state = await until('the device has subscribed', () => {
    if (subscribed) return 'subscribed';
    return child.exitCode === null ? undefined : 'ended';
  });
  if (state === 'ended') throw new Error(`the device has ended: ${log}`);
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return { log: () => log, judged: () => judged, ended, kill };
}
