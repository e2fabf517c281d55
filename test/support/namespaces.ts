import { spawnSync } from 'node:child_process';
import { atEndOfFile } from './cleanup';
import { run, startChild, type Child, type StartOptions } from './processes';

/** A network namespace: programs in it have only the network that the test gives them. */
export interface Namespace {
  /** As `startChild`, within it. */
  start(command: string, args: string[], options?: StartOptions): Promise<Child>;
  /** As `run`, within it. */
  run(command: string, args: string[], options?: Omit<StartOptions, 'ready'>): Promise<string>;
  /** Whether a TCP connection from it to there comes about within two seconds. */
  reaches(host: string, port: number): Promise<boolean>;
}

/** Addresses of the three namespaces on the two networks. */
export const addresses = {
  /** Network of the devices. */
  device: '10.91.1.2',
  brokerForDevices: '10.91.1.1',
  /** Network of the servers. */
  brokerForBackend: '10.91.2.1',
  backend: '10.91.2.2',
} as const;

/** Whether network namespaces can be made here: by root, where a container does not forbid it. */
export function canMakeNamespaces(): boolean {
  return process.getuid?.() === 0 && spawnSync('unshare', ['--net', 'true']).status === 0;
}

const PROBE = `
const socket = require('node:net').connect({ host: process.argv[1], port: Number(process.argv[2]) });
const end = (reached) => { console.log(reached); process.exit(); };
socket.on('connect', () => end('reached')).on('error', () => end('not reached'));
setTimeout(end, 2000, 'not reached');`;

/** Two networks as in examples/compose: devices and backend, the broker on both. Removed when the test file ends. */
export async function makeNetworks(): Promise<{ devices: Namespace; broker: Namespace; backend: Namespace }> {
  const names = { devices: '', broker: '', backend: '' };
  for (const key of ['devices', 'broker', 'backend'] as const) {
    const name = `mqtt2influx-${key}-${process.pid}`;
    await run('ip', ['netns', 'add', name]);
    atEndOfFile(async () => {
      await run('ip', ['netns', 'delete', name]);
    });
    names[key] = name;
    await inside(name, 'ip', ['link', 'set', 'lo', 'up']);
  }
  const { device, brokerForDevices, brokerForBackend, backend } = addresses;
  await link(names.devices, device, names.broker, brokerForDevices, 'devices');
  await link(names.backend, backend, names.broker, brokerForBackend, 'backend');
  // It is no router between them: that is what keeps them apart, although both would send it everything.
  await inside(names.broker, 'sysctl', ['-q', '-w', 'net.ipv4.ip_forward=0']);
  await inside(names.devices, 'ip', ['route', 'add', 'default', 'via', brokerForDevices]);
  await inside(names.backend, 'ip', ['route', 'add', 'default', 'via', brokerForBackend]);
  return { devices: namespace(names.devices), broker: namespace(names.broker), backend: namespace(names.backend) };
}

async function link(
  name: string,
  address: string,
  broker: string,
  brokerAddress: string,
  device: string,
): Promise<void> {
  const peer = ['peer', 'name', device, 'netns', broker];
  await run('ip', ['link', 'add', 'eth0', 'netns', name, 'type', 'veth', ...peer]);
  for (const [where, what, its] of [
    [name, 'eth0', address],
    [broker, device, brokerAddress],
  ] as const) {
    await inside(where, 'ip', ['address', 'add', `${its}/24`, 'dev', what]);
    await inside(where, 'ip', ['link', 'set', what, 'up']);
  }
}

function inside(name: string, command: string, args: string[]): Promise<string> {
  return run('ip', ['netns', 'exec', name, command, ...args]);
}

function namespace(name: string): Namespace {
  // `ip` becomes the command: its signals reach the command itself.
  const within = (command: string, args: string[]): string[] => ['netns', 'exec', name, command, ...args];
  return {
    start: (command, args, options) => startChild('ip', within(command, args), { name: command, ...options }),
    run: (command, args, options) => run('ip', within(command, args), options),
    async reaches(host, port) {
      const answer = await inside(name, process.execPath, ['-e', PROBE, host, String(port)]);
      return answer.trim() === 'reached';
    },
  };
}
