// Starts the whole thing: a broker, InfluxDB, Node-RED with the examples, and simulated devices.
//   npm start              until Ctrl-C
//   npm start -- --check   for some seconds; exits 0 only if everything is where it belongs
import { relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeCopies } from './backup.mjs';
import { startBroker } from './broker.mjs';
import { check } from './check.mjs';
import { Children } from './children.mjs';
import { Devices } from './devices.mjs';
import { say, showCounts } from './display.mjs';
import { Failure } from './failure.mjs';
import { demoFlow, readExamples } from './flow.mjs';
import { data, folder, project } from './folder.mjs';
import { showCommand } from './influxdb/api.mjs';
import { startInfluxDB } from './influxdb/influxdb.mjs';
import { claimFolder } from './leftovers.mjs';
import { deploy, startNodeRed } from './node-red.mjs';
import { prepare } from './prepare.mjs';
import { registeredBuckets } from './registry.mjs';
import { awaitSubscriptions } from './subscriptions.mjs';
import { awaitBuckets, showUpkeep } from './upkeep.mjs';
import { showOperations, Valve } from './valve.mjs';

const CHECK_SECONDS = 6;
const USAGE = 'Usage: npm start            until Ctrl-C\n       npm start -- --check for some seconds, with a verdict';

const options = process.argv.slice(2);
const checking = options.includes('--check');
if (options.some((option) => option !== '--check')) {
  console.log(USAGE);
  process.exit(options.includes('--help') ? 0 : 1);
}

let stop;
const stopped = new Promise((resolve, reject) => (stop = { quietly: resolve, because: reject }));
// Whoever waits for it comes later.
stopped.catch(() => undefined);
const children = new Children(stop.because);
// Ctrl-C in a terminal comes twice within milliseconds: from the terminal, and once more from npm. A later one means it.
const IMPATIENT_AFTER = 1000;
let signalledAt;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    signalledAt ??= Date.now();
    stop.quietly('stopped');
    if (Date.now() - signalledAt < IMPATIENT_AFTER) return;
    children.kill();
    process.exit(1);
  });
}

/** What is running, for stopping it in the right order. */
const parts = {};

async function start() {
  prepare();
  folder();
  await claimFolder();
  removeCopies();
  const { nodes, masterSecret, registryDocument, buttons } = readExamples();
  const buckets = registeredBuckets(registryDocument);

  console.log('Starting the broker, InfluxDB and Node-RED …');
  parts.broker = await startBroker(children);
  const influxdb = await startInfluxDB(children);
  const nodeRed = await startNodeRed(children);
  const brokerPort = parts.broker.port;
  await deploy(nodeRed, demoFlow(nodes, { brokerPort, influxdb }));
  await awaitBuckets(influxdb, buckets);
  const probes = await awaitSubscriptions(nodeRed, brokerPort);
  parts.devices = await Devices.start({ brokerPort, masterSecret, malformed: probes });
  parts.valve = await Valve.start({ nodeRed, brokerPort, masterSecret });
  explain(influxdb, nodeRed, masterSecret);
  parts.hideCounts = showCounts(nodeRed);
  return { influxdb, nodeRed, buckets, buttons, devices: parts.devices, valve: parts.valve };
}

function explain(influxdb, nodeRed, masterSecret) {
  console.log(`
  Editor     ${nodeRed.url}/
  Broker     mqtt://127.0.0.1:${parts.broker.port}   ${parts.broker.name}
  InfluxDB   ${influxdb.url}   ${influxdb.name}
             ${showCommand(influxdb, 'raw', 'climate')}
  Counts     ${nodeRed.url}/mqtt2influx/metrics
  A device   python3 examples/devices/python/sensor.py --port ${parts.broker.port} --protocol 3.1.1 --master-secret "${masterSecret}"
  Data       ${relative(project, data)}/   logs: ${relative(project, data)}/logs/

Devices send; some of them are faulty on purpose. The flow is put in anew on every start. Ctrl-C stops everything.
`);
}

async function runCheck(running) {
  const ended = await Promise.race([stopped, sleep(CHECK_SECONDS * 1000, 'enough')]);
  if (ended !== 'enough') throw new Failure('The check was interrupted.');
  await Promise.all([parts.devices.stop(), parts.valve.stop()]);
  parts.hideCounts();
  return Promise.race([check(running), stopped]);
}

async function main() {
  // A signal while things start ends the start at once; what runs by then is stopped below.
  const running = await Promise.race([start(), stopped]);
  if (running === 'stopped') return !checking;
  if (checking) return (await runCheck(running)) === true;
  await Promise.race([Promise.all([showUpkeep(running, say), showOperations(running.nodeRed, say)]), stopped]);
  await stopped;
  return true;
}

let success = false;
try {
  success = await main();
} catch (error) {
  parts.hideCounts?.();
  console.error(error instanceof Failure ? `\n${error.message}` : error);
}
parts.hideCounts?.();
console.log('Stopping …');
parts.devices?.abandon();
parts.valve?.abandon();
await children.stop();
await parts.broker?.stop();
process.exit(success ? 0 : 1);
