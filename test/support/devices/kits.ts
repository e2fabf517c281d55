import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mosquitto } from '../mosquitto';
import { packageRoot } from '../node-red';
import { run, startChild } from '../processes';
import { tempDirectory } from '../temp';
import { compileSketch } from './arduino';
import { startBridgedDevice, type BridgedDevice } from './bridge';

/** The one device that the kits are, and the master secret that its key is made from. */
export const DEVICE = 'house/kitchen';
export const SECRET = 'example secret, replace it';
export const ACTIONS = `actions/${DEVICE}/valve`;

/** What happens to the memory of actions once the valve has moved: the disk is full, or the device crashes. */
export type Fault = 'full' | 'crash';

/** A device under test. Its state outlives it, in `folder`; a file `fault` there holds a Fault. */
export interface Kit {
  /** Starts what acts; resolves when it has subscribed. */
  start(broker: Mosquitto, folder: string, remembered?: number): Promise<BridgedDevice>;
  /** Publishes one reading at least. */
  sense(broker: Mosquitto): Promise<void>;
  /** Where the valve stands, and how often it has moved. */
  state(folder: string): { position: number; moves: number };
  /** Leaves what a crash leaves between the beginning of an action and its end, with the valve moved by it or not yet. */
  interrupt(folder: string, id: string, moved: boolean): void;
}

/** Actions that a device remembers: as many as it needs, and few. */
const MANY = 2000;
export const FEW = 2;

const python = process.env['TEST_PYTHON'] ?? 'python3';
const pythonFolder = join(packageRoot, 'examples/devices/python');
const environment = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
const sketches = new Map<number, string>();

/** To be called before the tests: a sketch for each size of memory, with the key of the device. */
export async function compileSketches(key: string): Promise<void> {
  for (const remembered of [MANY, FEW]) sketches.set(remembered, await compileSketch(DEVICE, key, remembered));
}

function stateOfFile(folder: string): { position: number; moves: number } {
  const file = join(folder, 'valve.json');
  if (!existsSync(file)) return { position: 0, moves: 0 };
  return JSON.parse(readFileSync(file, 'utf8')) as { position: number; moves: number };
}

const JUDGED = /^\S+ \S+ (not performed:|performed|again|interrupted|retained|expired|future|malformed|bad-|invalid)/gm;
const LATER = Math.floor(Date.now() / 1000) + 3600;

function writeValve(folder: string, id: string, moved: boolean): void {
  const state = { position: 1, action: moved ? id : 'another', moves: 1 };
  writeFileSync(join(folder, 'valve.json'), `${JSON.stringify(state)}\n`);
}

const pythonOptions = (broker: Mosquitto): string[] => [
  ...['--broker', '127.0.0.1', '--port', String(broker.port), '--master-secret', SECRET],
];

async function senseOnce(kit: Kit, broker: Mosquitto): Promise<void> {
  const device = await kit.start(broker, tempDirectory('device'));
  await device.kill();
}

export const kits: Record<string, Kit> = {
  Python: {
    async start(broker, folder) {
      const since = broker.mark();
      const program = join(packageRoot, 'test/support/devices/python/valve.py');
      const options = [...pythonOptions(broker), '--folder', folder];
      const child = await startChild(python, [program, pythonFolder, ...options], { env: environment });
      await broker.waitForSubscription(ACTIONS, since);
      return {
        kill: () => child.kill(),
        log: () => child.output(),
        // A line for each message.
        judged: () => [...child.output().matchAll(JUDGED)].length,
        ended: () => !child.isRunning(),
      };
    },
    async sense(broker) {
      await run(
        python,
        [join(pythonFolder, 'sensor.py'), ...pythonOptions(broker), '--count', '1', '--interval', '0.1'],
        {
          env: environment,
        },
      );
    },
    state: stateOfFile,
    interrupt(folder, id, moved) {
      writeValve(folder, id, moved);
      const line = JSON.stringify({ id, expires: LATER, state: 'begun' });
      // The crash has cut off the line of a further action.
      writeFileSync(join(folder, 'performed.jsonl'), `${line}\n{"id":"c`);
    },
  },
  MicroPython: {
    start(broker, folder, remembered = MANY) {
      const program = join(packageRoot, 'test/support/devices/micropython/run.mjs');
      return startBridgedDevice(
        broker.url,
        'micropython',
        process.execPath,
        [program, 'board', folder, String(remembered)],
        folder,
      );
    },
    sense: (broker) => senseOnce(kits['MicroPython'] as Kit, broker),
    state: stateOfFile,
    interrupt(folder, id, moved) {
      writeValve(folder, id, moved);
      writeFileSync(join(folder, 'performed.txt'), `${JSON.stringify([id, LATER, 'begun'])}\n["c`);
    },
  },
  Arduino: {
    start: (broker, folder, remembered = MANY) =>
      startBridgedDevice(broker.url, 'arduino', sketches.get(remembered) ?? '', [], folder),
    sense: (broker) => senseOnce(kits['Arduino'] as Kit, broker),
    state(folder) {
      const file = join(folder, 'valve');
      if (!existsSync(file)) return { position: 0, moves: 0 };
      // struct ValveState: a double, the action's hash, an unsigned integer.
      const bytes = readFileSync(file);
      return { position: bytes.readDoubleLE(0), moves: bytes.readUInt32LE(24) };
    },
    interrupt(folder, id, moved) {
      // What stands for an id: the first half of the id's SHA-256.
      const hash = createHash('sha256').update(id).digest().subarray(0, 16);
      const valve = Buffer.alloc(32);
      valve.writeDoubleLE(1, 0);
      if (moved) hash.copy(valve, 8);
      valve.writeUInt32LE(1, 24);
      writeFileSync(join(folder, 'valve'), valve);
      // iot_action_record: the hash, the expiry, the state "begun".
      const record = Buffer.alloc(32);
      hash.copy(record);
      record.writeBigInt64LE(BigInt(LATER), 16);
      record.writeUInt8(1, 24);
      writeFileSync(join(folder, 'a0'), record);
    },
  },
};
