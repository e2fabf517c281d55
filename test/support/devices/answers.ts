import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Judgement } from '../../../nodes/lib/protocol/judge';

/** A program that answers lines as `vectors.c` says. */
export interface Program {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

const field = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64') || '-';
const bytesOf = (answer: string | undefined): string =>
  answer === undefined || answer === '-' ? '' : Buffer.from(answer, 'base64').toString('utf8');

async function answers(program: Program, lines: string[]): Promise<string[]> {
  const child = spawn(program.command, program.args, {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...program.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'close');
  const output = text(child.stdout);
  const errors = text(child.stderr);
  // A program that crashes does not read on; its exit says so.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(lines.map((line) => `${line}\n`).join(''));
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`${program.command} exited with ${String(code)}\n${(await errors).slice(-5000)}`);
  return (await output).split('\n').slice(0, -1);
}

export interface Case {
  /** base64 */
  key: string;
  message: string | Buffer;
}

/** What a program says of messages; `canonical` of verified ones only. */
export async function verdicts(program: Program, cases: readonly Case[]): Promise<Judgement[]> {
  const lines = await answers(
    program,
    cases.map(({ key, message }) => `verify ${key || '-'} ${field(message)}`),
  );
  return lines.map((line) => {
    const space = line.lastIndexOf(' ');
    const canonical = bytesOf(line.slice(space + 1));
    return { verdict: line.slice(0, space) as Judgement['verdict'], ...(canonical !== '' && { canonical }) };
  });
}

/** The messages that a program makes of payloads; empty where it refuses. */
export async function signed(program: Program, cases: readonly { key: string; payload: string }[]): Promise<string[]> {
  const lines = await answers(
    program,
    cases.map(({ key, payload }) => `sign ${key || '-'} ${field(payload)}`),
  );
  return lines.map(bytesOf);
}

/** An action that comes to a device, and what is to become of it. */
export interface OrderStep {
  /** The device's clock, in seconds since 1970. */
  now: number;
  message: string;
  /** The device is started anew before. */
  restart?: boolean;
}

export interface Received {
  /** What has become of it: `performed`, `outdated` and so on. */
  code: string;
  /** The signed answer. */
  answer: string | undefined;
}

/** What a device with an empty memory makes of the actions that come to it. */
export async function received(program: Program, key: string, steps: readonly OrderStep[]): Promise<Received[]> {
  const lines = await answers(program, [
    'forget - -',
    ...steps.flatMap(({ now, message, restart }) => [
      ...(restart === true ? ['restart - -'] : []),
      `receive ${key} ${field(`${now} ${message}`)}`,
    ]),
  ]);
  return lines
    .filter((line) => line !== '-')
    .map((line) => {
      const space = line.lastIndexOf(' ');
      return { code: line.slice(0, space), answer: bytesOf(line.slice(space + 1)) || undefined };
    });
}

/** What a program reads from keys as they are programmed, in base64; empty where it refuses. */
export async function keysRead(program: Program, keys: readonly string[]): Promise<string[]> {
  const lines = await answers(
    program,
    keys.map((key) => `key - ${field(key)}`),
  );
  return lines.map((line) => (line === '-' ? '' : line));
}
