import { spawn, type ChildProcess } from 'node:child_process';
import { atEndOfFile } from './cleanup';
import { until } from './until';

const KEPT_OUTPUT = 1_000_000;
const running = new Set<ChildProcess>();

// Neither an exit in the middle of a test nor a stop from outside leaves children behind.
process.on('exit', killAll);
process.once('SIGTERM', () => {
  killAll();
  process.exit(143);
});

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child process of the test; killed when the test file ends, if it has not ended before. */
export interface Child {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  isRunning(): boolean;
  /** Standard output and error, in the order they came; of a very talkative child the last megabyte. */
  output(since?: number): string;
  /** Where its output stands now, for `output(since)`. */
  mark(): number;
  /** Asks it to end with SIGTERM, and kills it if it has not done so within 20 s. */
  stop(): Promise<Exit>;
  /** By default SIGKILL; resolves when it has gone. SIGSTOP and SIGCONT resolve at once. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

export interface StartOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Polled until it resolves to true, at most 30 s. */
  ready?: () => Promise<boolean>;
  /** What to call it in errors; default: the command. */
  name?: string;
}

/** Starts a child and waits until it is ready. Throws with its output if it ends before that, or never gets there. */
export async function startChild(command: string, args: string[], options: StartOptions = {}): Promise<Child> {
  const { name = command, ready } = options;
  const process_ = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(process_);
  let output = '';
  let total = 0;
  const keep = (chunk: string): void => {
    output = (output + chunk).slice(-KEPT_OUTPUT);
    total += chunk.length;
  };
  process_.stdout.setEncoding('utf8').on('data', keep);
  process_.stderr.setEncoding('utf8').on('data', keep);
  const exited = new Promise<Exit>((resolve) => {
    process_.once('error', (error) => {
      keep(`${error.message}\n`);
      running.delete(process_);
      resolve({ code: null, signal: null });
    });
    // `close`, not `exit`: only then all its output has been read.
    process_.once('close', (code, signal) => {
      running.delete(process_);
      resolve({ code, signal });
    });
  });
  const isRunning = (): boolean => running.has(process_);
  const child: Child = {
    pid: process_.pid ?? 0,
    exited,
    isRunning,
    output: (since = 0) => output.slice(Math.max(0, output.length - (total - since))),
    mark: () => total,
    async stop() {
      process_.kill('SIGTERM');
      const late = setTimeout(() => process_.kill('SIGKILL'), 20_000);
      const exit = await exited;
      clearTimeout(late);
      return exit;
    },
    async kill(signal = 'SIGKILL') {
      process_.kill(signal);
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await exited;
    },
  };
  atEndOfFile(async () => {
    if (isRunning()) await child.kill();
  });
  if (ready) {
    try {
      const state = await until(
        `${name} is ready`,
        async () => (!isRunning() ? 'ended' : (await ready()) ? 'ready' : undefined),
        Boolean,
        { deadline: 30_000 },
      );
      if (state === 'ended') throw new Error(`${name} ended before it was ready`);
    } catch (error) {
      if (isRunning()) await child.kill();
      throw new Error(`${String(error)}\n${output}`, { cause: error });
    }
  }
  return child;
}

/** Runs a command to its end and returns its output; throws with the output if it fails. */
export async function run(command: string, args: string[], options: Omit<StartOptions, 'ready'> = {}): Promise<string> {
  const child = await startChild(command, args, options);
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${String(code)}\n${child.output()}`);
  return child.output();
}
