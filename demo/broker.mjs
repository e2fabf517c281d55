import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { data } from './folder.mjs';
import { freePort, isListening } from './ports.mjs';
import { findProgram, run } from './programs.mjs';

// 0: no limit. With the default of 1,000 mosquitto drops what a busy subscriber has not read yet, without a word.
const settings = (port) => `listener ${port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
log_dest stdout
`;

/** An MQTT broker on loopback: mosquitto where it is installed, else one inside this process. */
export async function startBroker(children) {
  const port = await freePort(1883);
  const mosquitto = findProgram('mosquitto');
  return mosquitto ? startMosquitto(children, mosquitto, port) : startEmbedded(port);
}

async function startMosquitto(children, program, port) {
  const file = join(data, 'mosquitto.conf');
  writeFileSync(file, settings(port));
  await children.start('mosquitto', program, ['-c', file], { ready: () => isListening(port) });
  const { output } = await run(program, ['-h']);
  const [, version = ''] = /mosquitto version (\S+)/.exec(output) ?? [];
  return { name: `mosquitto ${version}`.trim(), port, stop: async () => undefined };
}

async function startEmbedded(port) {
  const { Aedes } = await import('aedes');
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const stop = async () => {
    await new Promise((resolve) => broker.close(resolve));
    await new Promise((resolve) => server.close(resolve));
  };
  return { name: 'aedes, embedded, because mosquitto is not installed', port, stop };
}
