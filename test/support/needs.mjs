// The programs the tests run beside Node: found, or got from Debian where that is possible.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

// Debian keeps servers where only root looks.
const FOLDERS = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
];

function find(name) {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function succeeds(command, args) {
  return command !== undefined && spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function influxd1() {
  const command = find('influxd');
  if (!command) return undefined;
  const { stdout } = spawnSync(command, ['version'], { encoding: 'utf8' });
  return /InfluxDB v?1\./.test(stdout) ? command : undefined;
}

function pythonWithPaho() {
  const found = [find('python3'), '/usr/bin/python3'];
  return found.find((python) => succeeds(python, ['-c', 'import paho.mqtt.client']));
}

/** `package` is Debian's; `found` gives the program's path or undefined; `variable` hands the path to the tests. */
const NEEDS = [
  { name: 'mosquitto', package: 'mosquitto', found: () => find('mosquitto') },
  { name: 'influxd 1.x (InfluxDB)', package: 'influxdb', found: influxd1 },
  { name: 'chromium', package: 'chromium', found: () => find('chromium'), variable: 'TEST_CHROMIUM' },
  { name: 'python3 with paho-mqtt', package: 'python3-paho-mqtt', found: pythonWithPaho, variable: 'TEST_PYTHON' },
  { name: 'openssl', package: 'openssl', found: () => find('openssl') },
  { name: 'g++, with gcc', package: 'g++', found: () => find('gcc') && find('g++') },
  { name: 'ip', package: 'iproute2', found: () => find('ip') },
  { name: 'ps', package: 'procps', found: () => find('ps') },
];

function missing() {
  return NEEDS.filter((need) => need.found() === undefined);
}

function install(packages) {
  // The tests start servers of their own: Debian's services need not run.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { stdio: 'inherit', env };
  execFileSync('apt-get', ['update', '-q'], options);
  execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], options);
}

/**
 * Sees to it that every program is there and sets the variables that tell the tests where. Returns true, or says what is
 * missing and how to get it, and returns false.
 */
export function provideNeeds() {
  const mayInstall = process.getuid?.() === 0 && find('apt-get') !== undefined;
  const packages = missing().map((need) => need.package);
  if (packages.length > 0 && mayInstall) {
    console.log(`Installing ${packages.join(', ')} with apt-get.`);
    try {
      install(packages);
    } catch (error) {
      console.error(error.message);
    }
  }
  const still = missing();
  for (const need of still) {
    console.error(`Missing: ${need.name}. To get it on Debian or Ubuntu: sudo apt-get install ${need.package}`);
  }
  for (const { variable, found } of NEEDS) {
    const path = found();
    if (variable !== undefined && path !== undefined) process.env[variable] ??= path;
  }
  return still.length === 0;
}
