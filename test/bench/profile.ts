import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: number[];
}

/** The part of the `.cpuprofile` format that is read here. Times in microseconds of the system's monotonic clock. */
interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

/** Microseconds of the main thread by owner. */
export type TimeByOwner = Record<string, number>;

/** A window in microseconds of the monotonic clock. */
export interface Window {
  from: number;
  to: number;
}

export function monotonicMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

const IDLE = '(idle)';
const UNKNOWN = 'other';

/** Engine frames that are nobody's call. */
const BY_NAME = new Map([
  ['(garbage collector)', 'garbage collector'],
  ['(idle)', IDLE],
  ['(program)', 'engine and system calls'],
]);

/** Who owns the self time of a function, by the file it is in; the first that fits. */
const BY_FILE: [RegExp, string][] = [
  [/10-mqtt\.js$/, 'core mqtt node'],
  [/node_modules\/(mqtt|mqtt-packet|bl|readable-stream|number-allocator)\//, 'mqtt.js'],
  [/node_modules\/@node-red\//, 'Node-RED runtime'],
  [/^node:internal\/crypto\//, 'hmac'],
  [/dist\/lib\/protocol\/(scan|canonical)/, 'reading the message'],
  [/dist\/(lib\/protocol|hmac-verify\/verify|iot-keyring\/keyring)/, 'verifying'],
  [/node_modules\/ajv\//, 'payload check'],
  [/dist\/(lib\/registry|registry-route\/route)/, 'registry'],
  [/dist\/lib\/influx\/line-protocol/, 'line protocol'],
  [/dist\/lib\/store\/|node_modules\/(classic-level|abstract-level)\//, 'store'],
  [/dist\/lib\/influx\/|^node:(zlib|_http|http|internal\/http)/, 'http and gzip'],
  [/dist\//, 'wiring of the nodes'],
];

/** The bare process is one file and the client another, so there the function tells. */
const BARE_FUNCTIONS: [RegExp, string][] = [
  [/^readMessage$/, 'reading the message'],
  [/^isSigned$/, 'verifying'],
  [/^validate\d+$/, 'payload check'],
  [/^(pointOf|Point|tag|floatField|timestamp|toLineProtocol|escape|writePoint|fields|convertTime)$/, 'line protocol'],
];

function ownerOf({ functionName, url }: ProfileNode['callFrame']): string | undefined {
  const named = BY_NAME.get(functionName);
  if (named !== undefined) return named;
  // What ajv compiles has no file.
  if (url === '' && /^validate\d+$/.test(functionName)) return 'payload check';
  if (/bare\.js$|@influxdata\/influxdb-client/.test(url)) {
    const byFunction = BARE_FUNCTIONS.find(([pattern]) => pattern.test(functionName))?.[1];
    return byFunction ?? (url.endsWith('bare.js') ? 'wiring of the nodes' : 'http and gzip');
  }
  return BY_FILE.find(([pattern]) => pattern.test(url))?.[1];
}

/** Built-in and native functions belong to whoever called them. */
function ownersOf(nodes: ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const owners = new Map<number, string>();
  const visit = (node: ProfileNode, inherited: string): void => {
    const owner = ownerOf(node.callFrame) ?? inherited;
    owners.set(node.id, owner);
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child) visit(child, owner);
    }
  };
  const [root] = nodes;
  if (root) visit(root, UNKNOWN);
  return owners;
}

function timeByOwner(profile: CpuProfile, window: Window): TimeByOwner {
  const owners = ownersOf(profile.nodes);
  const times: TimeByOwner = {};
  let at = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0;
    at += delta;
    if (at < window.from || at > window.to) continue;
    const owner = owners.get(id) ?? UNKNOWN;
    if (owner !== IDLE) times[owner] = (times[owner] ?? 0) + delta;
  }
  return times;
}

/** Reads the one profile that Node.js has written into `directory`. */
export function readProfile(directory: string, window: Window): TimeByOwner {
  const [file] = readdirSync(directory).filter((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error(`no CPU profile in ${directory}`);
  return timeByOwner(JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile, window);
}
