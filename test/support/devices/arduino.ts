import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../node-red';
import { run } from '../processes';
import { tempDirectory } from '../temp';

const library = join(packageRoot, 'examples/devices/arduino/src');
const here = join(packageRoot, 'test/support/devices');
const STRICT = ['-Wall', '-Wextra', '-Werror'];
const SANITIZED = ['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

const sources = readdirSync(library)
  .filter((file) => file.endsWith('.c'))
  .map((file) => join(library, file));

/** Compiles the library with a C program and gives the path of what runs. */
export async function compileC(program: string, ...options: string[]): Promise<string> {
  const output = join(tempDirectory('c'), 'program');
  const flags = ['-std=c99', '-pedantic', ...STRICT, ...SANITIZED, ...options, `-I${library}`];
  await run('gcc', [...flags, ...sources, join(here, program), '-o', output, '-lm']);
  return output;
}

/** Compiles the sketch of the example for this computer, with a `config.h` for one device that remembers so many actions. */
export async function compileSketch(device: string, key: string, remembered: number): Promise<string> {
  const folder = tempDirectory('sketch');
  const values = { WIFI_NAME: '', WIFI_PASSWORD: '', BROKER: '', BROKER_USER: '', BROKER_PASSWORD: '', AUTHORITY: '' };
  const lines = Object.entries({ ...values, DEVICE: device, KEY: key }).map(
    ([name, value]) => `#define ${name} ${JSON.stringify(value)}\n`,
  );
  writeFileSync(join(folder, 'config.h'), `${lines.join('')}#define REMEMBERED_ACTIONS ${remembered}\n`);
  const sketch = join(packageRoot, 'examples/devices/arduino/examples/SensorAndValve/SensorAndValve.ino');
  await run('gcc', ['-std=c99', '-pedantic', ...STRICT, ...SANITIZED, '-c', ...sources], { cwd: folder });
  const objects = sources.map((source) => source.replace(/^.*\/(.*)\.c$/, '$1.o'));
  const includes = [`-DSKETCH=${JSON.stringify(sketch)}`, '-I.', `-I${join(here, 'arduino')}`, `-I${library}`];
  const board = join(here, 'arduino/board.cpp');
  await run('g++', ['-std=c++17', ...STRICT, ...SANITIZED, ...includes, board, ...objects, '-o', 'board'], {
    cwd: folder,
  });
  return join(folder, 'board');
}
