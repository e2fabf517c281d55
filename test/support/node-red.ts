import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Metrics } from './metrics';
import { freePort } from './ports';
import { startChild, type Child } from './processes';
import { tempDirectory } from './temp';
import { until } from './until';

export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** `4`: Node-RED 4.1 with the Node that runs the tests. `5`: Node-RED 5 with Node 24. */
export type Runtime = '4' | '5';

/** Node-RED's own flow format. */
export interface FlowNode {
  id: string;
  type: string;
  [property: string]: unknown;
}

export type Credentials = Record<string, Record<string, string>>;
export type Deployment = 'full' | 'flows' | 'nodes';

export interface User {
  username: string;
  password: string;
  /** Such as `*`, `read` or `['flows.read', 'influx-server.write']`. */
  permissions: string | string[];
}

export interface NodeRedOptions {
  runtime: Runtime;
  flows?: FlowNode[];
  /** By node id; stored unencrypted beside the flow. */
  credentials?: Credentials;
  /** Default: a fresh one, removed when the test file ends. */
  userDir?: string;
  /** More settings, all of them JSON. */
  settings?: Record<string, unknown>;
  /** Guards the admin API and the editor by these users. */
  users?: User[];
  /** Options for Node itself. */
  nodeOptions?: string[];
  /** Remember which timers, sockets and watchers of the pack are alive, for `resources()`. */
  trackResources?: boolean;
  /** Load the pack from the repository (default). False: the user directory has it installed already, or does without. */
  pack?: boolean;
}

export interface Answer {
  status: number;
  text: string;
  /** The text parsed as JSON; undefined where it is none. */
  body: unknown;
}

export interface ProcessState {
  memory: NodeJS.MemoryUsage;
  resources: { type: string; stack: string }[];
  listeners: number;
  processListeners: number;
}

export interface NodeRed {
  readonly url: string;
  readonly port: number;
  readonly userDir: string;
  pid(): number;
  /** Deploys and waits until the flows have started. Credentials: in the nodes' own `credentials` property. */
  deploy(flows: FlowNode[], type?: Deployment): Promise<void>;
  /** Our counters, from the admin endpoint. */
  metrics(): Promise<Metrics>;
  get(path: string, token?: string): Promise<Answer>;
  /** JSON in, JSON out. */
  post(path: string, body: unknown, token?: string, headers?: Record<string, string>): Promise<Answer>;
  /** An access token of one of `users`. */
  login(username: string, password: string): Promise<string>;
  /** State of the process: memory, what is alive in it. */
  process(): Promise<ProcessState>;
  /** What it printed, since a `mark()`. */
  log(since?: number): string;
  mark(): number;
  waitForLog(pattern: RegExp, since?: number): Promise<string>;
  isRunning(): boolean;
  /** SIGTERM; waits until all nodes are closed and it has gone. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again with the same user directory and port. */
  restart(): Promise<void>;
}

/** The Node.js and the Node-RED folder of a runtime. */
export function executables(runtime: Runtime): { node: string; folder: string } {
  if (runtime === '4') return { node: process.execPath, folder: join(packageRoot, 'node_modules/node-red') };
  const modules = join(packageRoot, 'test/runtimes/node-red-5/node_modules');
  return { node: join(modules, 'node/bin/node'), folder: join(modules, 'node-red') };
}

function hashed(folder: string, password: string): string {
  const bcrypt = createRequire(join(folder, 'red.js'))('bcryptjs') as {
    hashSync(text: string, rounds: number): string;
  };
  return bcrypt.hashSync(password, 4);
}

function settingsFile(options: NodeRedOptions, port: number, folder: string): string {
  const settings = {
    uiHost: '127.0.0.1',
    uiPort: port,
    flowFile: 'flows.json',
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false, palette: { catalogues: [] }, codeEditor: { lib: 'ace' } },
    externalModules: { autoInstall: false },
    nodesDir: join(packageRoot, 'test/support/node-red-nodes'),
    logging: { console: { level: 'info', metrics: false, audit: false } },
    ...(options.users && {
      adminAuth: {
        type: 'credentials',
        users: options.users.map((user) => ({ ...user, password: hashed(folder, user.password) })),
      },
    }),
    ...options.settings,
  };
  return `module.exports = ${JSON.stringify(settings, undefined, 2)};\n`;
}

/** A real Node-RED on loopback that has the pack in its palette; killed when the test file ends. */
export async function startNodeRed(options: NodeRedOptions): Promise<NodeRed> {
  const { runtime, userDir = tempDirectory(`node-red-${runtime}`) } = options;
  const { node, folder } = executables(runtime);
  const packNeeds = options.pack === false ? [] : [join(packageRoot, 'dist')];
  for (const needed of [node, folder, ...packNeeds]) {
    if (!existsSync(needed)) throw new Error(`${needed} is missing: npm test makes it`);
  }
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;

  mkdirSync(join(userDir, 'node_modules'), { recursive: true });
  const link = join(userDir, 'node_modules/node-red-contrib-mqtt2influx');
  if (options.pack !== false && !existsSync(link)) symlinkSync(packageRoot, link, 'dir');
  const settings = join(userDir, 'settings.js');
  writeFileSync(settings, settingsFile(options, port, folder));
  if (options.flows) writeFileSync(join(userDir, 'flows.json'), JSON.stringify(options.flows));
  if (options.credentials) writeFileSync(join(userDir, 'flows_cred.json'), JSON.stringify(options.credentials));

  const nodeOptions = [
    ...(options.trackResources ? ['--require', join(packageRoot, 'test/support/track-resources.cjs')] : []),
    ...(options.nodeOptions ?? []),
  ];
  // These two are the test runner's own.
  const env = { ...process.env };
  delete env['NODE_ENV'];
  delete env['NODE_OPTIONS'];

  let child: Child;
  const start = async (): Promise<void> => {
    child = await startChild(node, [...nodeOptions, join(folder, 'red.js'), '-u', userDir, '-s', settings], {
      name: `Node-RED ${runtime}`,
      env,
      cwd: userDir,
      // Not the log line "Started flows": the first request after it is not always answered. Flows are read after Node-RED has
      // begun to answer: what is deployed before that would be lost.
      ready: async () => {
        const answers = await Promise.all(['settings', 'flows'].map((path) => fetch(`${url}/${path}`)));
        return answers.every(({ ok, status }) => ok || status === 401);
      },
    });
    // Of an empty flow too: a deploy that is made before would take this line for its own.
    await waitForLog(/Started flows|Waiting for missing types|Flows stopped/);
  };
  const waitForLog = async (pattern: RegExp, since = 0): Promise<string> => {
    const match = await until(
      `Node-RED prints ${String(pattern)}`,
      () => pattern.exec(child.output(since)) ?? new Error(child.output(since).slice(-1500)),
      (seen) => !(seen instanceof Error),
    );
    return match instanceof Error ? '' : match[0];
  };
  const request = async (path: string, init: RequestInit, token?: string): Promise<Answer> => {
    const headers = {
      ...(init.headers as Record<string, string>),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    };
    const answer = await fetch(`${url}/${path.replace(/^\//, '')}`, { ...init, headers });
    const text = await answer.text();
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      body = undefined;
    }
    return { status: answer.status, text, body };
  };

  await start();
  const nodeRed: NodeRed = {
    url,
    port,
    userDir,
    pid: () => child.pid,
    async deploy(flows, type = 'full') {
      const mark = child.mark();
      const headers = { 'Node-RED-API-Version': 'v2', 'Node-RED-Deployment-Type': type };
      const answer = await nodeRed.post('flows', { flows }, undefined, headers);
      if (answer.status !== 200) throw new Error(`deploy answered ${answer.status}: ${answer.text}`);
      await waitForLog(/Started (flows|modified (nodes|flows))/, mark);
    },
    async metrics() {
      const answer = await nodeRed.get('mqtt2influx/metrics');
      if (answer.status !== 200) throw new Error(`metrics answered ${answer.status}: ${answer.text}`);
      return new Metrics(answer.text);
    },
    get: (path, token) => request(path, { headers: { Accept: 'application/json' } }, token),
    post: (path, body, token, headers = {}) =>
      request(
        path,
        {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'Content-Type': 'application/json', Accept: 'application/json', ...headers },
        },
        token,
      ),
    async login(username, password) {
      const answer = await nodeRed.post('auth/token', {
        client_id: 'node-red-admin',
        grant_type: 'password',
        // Whatever the user may do: asking for more is refused.
        scope: '',
        username,
        password,
      });
      const token = (answer.body as { access_token?: string } | undefined)?.access_token;
      if (token === undefined) throw new Error(`login answered ${answer.status}: ${answer.text}`);
      return token;
    },
    async process() {
      return (await nodeRed.get('test-process')).body as ProcessState;
    },
    log: (since) => child.output(since),
    mark: () => child.mark(),
    waitForLog,
    isRunning: () => child.isRunning(),
    async stop() {
      await child.stop();
    },
    kill: () => child.kill(),
    async restart() {
      if (child.isRunning()) await child.stop();
      await start();
    },
  };
  return nodeRed;
}
