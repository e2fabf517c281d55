import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { build } from 'esbuild';
import { packageRoot } from './node-red';
import { startChild, type Child } from './processes';
import { tempDirectory } from './temp';
import { until } from './until';

export interface ReceiverOptions {
  clientId: string;
  /** Topic filter of its actions. */
  topic: string;
  protocolVersion: 4 | 5;
  /** The secret that its messages are signed with. */
  key: string;
  /** Keeps the ids of what it has performed and answers; else it relies on QoS 2. */
  acknowledges: boolean;
  /** Does not answer. */
  isMute?: boolean;
}

/** An entry of the device's own log, which is written together with what keeps it from performing an action twice. */
export interface PerformedAction {
  id: string;
  topic: string;
  position: number;
  /** `expired`: it came too late, and was not performed. `outdated`: a newer one had been performed. */
  outcome: 'performed' | 'expired' | 'outdated';
}

export interface Receiver {
  kill(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
  /** Waits until it has written so many entries to its log since it was started. */
  waitForLog(entries: number): Promise<void>;
  /** Everything in its log; it must not be running. */
  log(): Promise<PerformedAction[]>;
}

async function bundle(): Promise<string> {
  const outfile = join(tempDirectory('receiver'), 'device.cjs');
  await build({
    entryPoints: [join(packageRoot, 'test/support/receiver-device.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['classic-level'],
  });
  return outfile;
}

/** Starts a device and waits until it has subscribed; killed when the test file ends. */
export async function startReceiver(url: string, options: ReceiverOptions): Promise<Receiver> {
  const program = await bundle();
  const directory = tempDirectory('receiver-log');
  let child: Child;
  const start = async (): Promise<void> => {
    const env = { ...process.env, NODE_PATH: join(packageRoot, 'node_modules') };
    child = await startChild(process.execPath, [program, JSON.stringify({ ...options, url, directory })], { env });
  };
  await start();
  await until('the device has subscribed', () => child.output().includes('subscribed'));
  return {
    kill: () => child.kill(),
    async stop() {
      await child.stop();
    },
    restart: start,
    async waitForLog(entries) {
      await until(`the device has logged ${entries}`, () => child.output().split('logged').length > entries);
    },
    async log() {
      const level = new ClassicLevel<string, string>(directory);
      try {
        const values = await level.values({ gte: 'log!', lt: 'log"' }).all();
        return values.map((value) => JSON.parse(value) as PerformedAction);
      } finally {
        await level.close();
      }
    },
  };
}
