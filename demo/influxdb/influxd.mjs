import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.mjs';
import { data, folder } from '../folder.mjs';
import { freePort } from '../ports.mjs';
import { run } from '../programs.mjs';

const answers = async (url, path) => (await fetch(url + path)).ok;

/** Starts an `influxd` of 1.x or 2.x of our own on loopback, with its data in the demo's folder. */
export async function startInfluxd(children, program, origin) {
  const { output } = await run(program, ['version']);
  const [, version, major] = /v((\d+)\.\S+)/.exec(output) ?? [];
  const name = `influxd ${version} ${origin}`;
  if (major === '1') return startVersion1(children, program, name);
  if (major === '2') return startVersion2(children, program, name);
  throw new Failure(`${program} is of no version that this demo can start: ${output.trim()}`);
}

const configuration = ({ port, rpcPort, directory }) => `reporting-disabled = true
bind-address = "127.0.0.1:${rpcPort}"
[meta]
  dir = ${JSON.stringify(join(directory, 'meta'))}
[data]
  dir = ${JSON.stringify(join(directory, 'data'))}
  wal-dir = ${JSON.stringify(join(directory, 'wal'))}
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
`;

async function startVersion1(children, program, name) {
  const port = await freePort(8086);
  const rpcPort = await freePort(8088);
  const file = join(data, 'influxdb.conf');
  writeFileSync(file, configuration({ port, rpcPort, directory: folder('influxdb') }));
  const url = `http://127.0.0.1:${port}`;
  await children.start('influxd', program, ['-config', file], { ready: () => answers(url, '/ping') });
  return { name, version: '1', url, database: 'iot', organization: '', credentials: {} };
}

async function startVersion2(children, program, name) {
  const port = await freePort(8086);
  const directory = folder('influxdb2');
  const url = `http://127.0.0.1:${port}`;
  const args = [
    `--bolt-path=${join(directory, 'influxd.bolt')}`,
    `--sqlite-path=${join(directory, 'influxd.sqlite')}`,
    `--engine-path=${join(directory, 'engine')}`,
    `--http-bind-address=127.0.0.1:${port}`,
    '--reporting-disabled',
  ];
  await children.start('influxd', program, args, { ready: () => answers(url, '/health') });
  const secrets = await setUp(url, join(directory, 'secrets.json'));
  return { name, version: '2', url, database: '', organization: secrets.org, credentials: { token: secrets.token } };
}

// A new 2.x has no user yet. The token is chosen here, so that the next start knows it too.
async function setUp(url, file) {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  const random = () => randomBytes(24).toString('base64url');
  const secrets = { username: 'demo', password: random(), org: 'demo', bucket: 'first', token: random() };
  const response = await fetch(`${url}/api/v2/setup`, { method: 'POST', body: JSON.stringify(secrets) });
  if (!response.ok) throw new Failure(`InfluxDB could not be set up: ${response.status} ${await response.text()}`);
  writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}
