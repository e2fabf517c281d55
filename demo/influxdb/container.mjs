import { spawnSync } from 'node:child_process';
import { Failure } from '../failure.mjs';
import { folder } from '../folder.mjs';
import { freePort } from '../ports.mjs';
import { findProgram, run } from '../programs.mjs';

// Podman takes no short names where it cannot ask.
const IMAGE = 'docker.io/library/influxdb:1.8';
const ENGINES = ['docker', 'podman'];

/** The program of a container engine that really runs; a client without its engine does not count. */
export async function findEngine() {
  for (const name of ENGINES) {
    const program = findProgram(name);
    if (program && (await run(program, ['info'])).code === 0) return { name, program };
  }
  return undefined;
}

/** Starts InfluxDB 1.8 in a container, with its data in the demo's folder. */
export async function startContainer(children, { name: engine, program }) {
  if ((await run(program, ['image', 'inspect', IMAGE])).code !== 0) {
    console.log(`Fetching ${IMAGE} (about 100 MB) …`);
    const { status } = spawnSync(program, ['pull', IMAGE], { stdio: 'inherit' });
    if (status !== 0) throw new Failure(`${engine} could not fetch ${IMAGE}.`);
  }
  const port = await freePort(8086);
  const url = `http://127.0.0.1:${port}`;
  const args = ['run', '--rm', '--init', '--name', `mqtt2influx-demo-${process.pid}`];
  // The data is to belong to whoever started the demo, not to root.
  if (process.getuid) args.push('--user', `${process.getuid()}:${process.getgid()}`);
  if (engine === 'podman') args.push('--userns=keep-id');
  args.push('--security-opt', 'label=disable');
  args.push('--publish', `127.0.0.1:${port}:8086`, '--volume', `${folder('influxdb-container')}:/var/lib/influxdb`);
  for (const setting of ['REPORTING_DISABLED=true', 'MONITOR_STORE_ENABLED=false', 'HTTP_LOG_ENABLED=false']) {
    args.push('--env', `INFLUXDB_${setting}`);
  }
  args.push(IMAGE);
  await children.start('influxdb-container', program, args, { ready: async () => (await fetch(`${url}/ping`)).ok });
  return { name: `${IMAGE} in ${engine}`, version: '1', url, database: 'iot', organization: '', credentials: {} };
}
