import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Failure } from './failure.mjs';
import { folder, project } from './folder.mjs';
import { freePort } from './ports.mjs';

const PACK = 'node-red-contrib-mqtt2influx';

const settings = (port) => `module.exports = {
  uiHost: '127.0.0.1',
  uiPort: ${port},
  flowFile: 'flows.json',
  telemetry: { enabled: false, updateNotification: false },
  editorTheme: { tours: false },
};
`;

/** Starts Node-RED on loopback with this pack in it, and no flow yet. */
export async function startNodeRed(children) {
  const port = await freePort(1880);
  const url = `http://127.0.0.1:${port}`;
  const directory = folder('node-red');
  const settingsFile = join(directory, 'settings.js');
  writeFileSync(settingsFile, settings(port));
  // A fresh flow on every start: ports may have changed, and the check counts from zero.
  writeFileSync(join(directory, 'flows.json'), '[]');
  linkPack(join(directory, 'node_modules'));

  const program = join(dirname(createRequire(import.meta.url).resolve('node-red/package.json')), 'red.js');
  // The variables of the demo itself, such as a token for InfluxDB, are no business of the flows.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|INFLUX_)/.test(name)));
  await children.start('node-red', process.execPath, [program, '-u', directory, '-s', settingsFile], {
    env,
    // Its flows and credentials are read after it has begun to answer: what is deployed before would lose its secrets.
    ready: async () => (await fetch(`${url}/flows`)).ok,
  });
  await checkPack(url);
  return { url };
}

function linkPack(modules) {
  const link = join(modules, PACK);
  if (existsSync(link)) return;
  mkdirSync(modules, { recursive: true });
  symlinkSync(project, link, 'junction');
}

async function checkPack(url) {
  const response = await fetch(`${url}/nodes/${PACK}`, { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Failure(`Node-RED has not found ${PACK}: ${response.status}.`);
  const { nodes } = await response.json();
  const broken = nodes.filter((set) => set.err).map((set) => `${set.name}: ${JSON.stringify(set.err)}`);
  if (broken.length > 0) throw new Failure(`Node-RED cannot load nodes of this pack.\n${broken.join('\n')}`);
}

/** Deploys a flow as the editor does. */
export async function deploy({ url }, nodes) {
  const response = await fetch(`${url}/flows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'node-red-deployment-type': 'full' },
    body: JSON.stringify(nodes),
  });
  if (!response.ok) throw new Failure(`Node-RED did not take the flow: ${response.status} ${await response.text()}`);
}

/** Presses the button of an inject node. */
export async function press({ url }, button) {
  const response = await fetch(`${url}/inject/${button}`, { method: 'POST' });
  if (!response.ok) throw new Failure(`The button ${button} could not be pressed: ${response.status}.`);
}
