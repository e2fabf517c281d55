import { Failure } from '../failure.mjs';
import { findProgram } from '../programs.mjs';
import { findEngine, startContainer } from './container.mjs';
import { unpackDebianPackage } from './debian-package.mjs';
import { namedServer } from './environment.mjs';
import { startInfluxd } from './influxd.mjs';

/**
 * InfluxDB from the first of these places that has it: the environment, the PATH, a container, the system's package.
 * Returns { name, version: '1' | '2' | '3', url, database, organization, credentials, named? }.
 */
export async function startInfluxDB(children) {
  const named = await namedServer();
  if (named) return named;

  const installed = findProgram('influxd');
  if (installed) return startInfluxd(children, installed, 'on the PATH');

  const engine = await findEngine();
  if (engine) return startContainer(children, engine);

  const unpacked = await unpackDebianPackage();
  if (unpacked) return startInfluxd(children, unpacked, "from the system's package");

  throw new Failure(`There is no InfluxDB here, and no way to get one. Do this, then start again:

  ${howToInstall()}

Or name one that runs already:

  INFLUX_URL=http://localhost:8086 npm start                                  InfluxDB 1.x
  INFLUX_URL=http://localhost:8086 INFLUX_ORG=… INFLUX_TOKEN=… npm start      InfluxDB 2.x
  INFLUX_URL=http://localhost:8181 INFLUX_TOKEN=… npm start                   InfluxDB 3.x`);
}

function howToInstall() {
  if (process.platform === 'darwin') return 'brew install influxdb@1 && brew link --force influxdb@1';
  if (findProgram('apt-get')) return 'sudo apt-get update && sudo apt-get install --yes influxdb';
  if (findProgram('docker')) return 'start Docker';
  return 'docker run --detach --publish 8086:8086 influxdb:1.8 && export INFLUX_URL=http://localhost:8086';
}
