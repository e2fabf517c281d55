// Runs the device code under the MicroPython interpreter.
//
//   node run.mjs vectors            answers lines of standard input, as ../vectors.c says
//   node run.mjs script FOLDER      runs the Python program on standard input, with the modules of a board from stubs/ and
//                                   FOLDER as its flash
//   node run.mjs board FOLDER LIMIT the device, with FOLDER as its flash, remembering so many actions; the broker is a pipe, as
//                                   ../arduino/PubSubClient.h says. A file `fault` there says what happens to the memory of
//                                   actions once the valve has moved: `full`, or `crash`
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, readdirSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../../..');
const modules = join(root, 'test/runtimes/micropython/node_modules');
const { loadMicroPython } = await import(
  join(modules, '@micropython/micropython-webassembly-pyscript/micropython.mjs')
);

const [mode, folder, limit] = process.argv.slice(2);
const python = await loadMicroPython({
  stdout: (line) => (mode === 'script' ? console.log(line) : console.error(line)),
  heapsize: 4 << 20,
});

function copy(from, to) {
  for (const file of readdirSync(from, { withFileTypes: true })) {
    if (file.isDirectory()) {
      python.FS.mkdir(`${to}/${file.name}`);
      copy(join(from, file.name), `${to}/${file.name}`);
    } else if (file.name.endsWith('.py')) {
      python.FS.writeFile(`${to}/${file.name}`, readFileSync(join(from, file.name)));
    }
  }
}
python.FS.mkdir('/lib');
copy(join(root, 'examples/devices/micropython'), '/lib');
copy(here, '/lib');
python.runPython("import sys; sys.path.append('/lib')");

/** Whether the disk is full; or it crashes. */
function isFull() {
  const fault = join(folder, 'fault');
  if (!existsSync(fault) || !existsSync(join(folder, 'valve.json'))) return false;
  if (readFileSync(fault, 'ascii') === 'crash') process.kill(process.pid, 'SIGKILL');
  return true;
}

const lines = [];
python.registerJsModule('bridge', {
  send: (line) => writeSync(1, `${line}\n`),
  received: () => lines.shift() ?? '',
  remembered: () => Number(limit),
  open(path, flags) {
    try {
      return openSync(join(folder, path), flags);
    } catch (error) {
      if (error.code === 'ENOENT') return -1;
      throw error;
    }
  },
  read: (descriptor) => readFileSync(descriptor, 'ascii'),
  write: (descriptor, text) => (isFull() ? -1 : writeSync(descriptor, text)),
  sync: (descriptor) => fsyncSync(descriptor),
  close: (descriptor) => closeSync(descriptor),
  rename: (old, fresh) => renameSync(join(folder, old), join(folder, fresh)),
});

if (mode === 'script') {
  python.runPython("sys.path.insert(0, '/lib/stubs')");
  python.runPython(await text(process.stdin));
  process.exit();
} else if (mode === 'vectors') {
  const answer = python.pyimport('vectors').answer;
  for await (const line of createInterface({ input: process.stdin })) console.log(answer(line));
} else {
  const { client } = python.pyimport('board');
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      lines.push(line);
      client.check_msg();
    })
    .on('close', () => process.exit());
}
