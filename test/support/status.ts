import { createRequire } from 'node:module';
import { join } from 'node:path';
import { atEndOfFile } from './cleanup';
import type { Status } from './rig';

/** The part used here of the `ws` that Node-RED itself comes with: Node 20 has no WebSocket of its own. */
interface WebSocket {
  on(event: 'open' | 'close' | 'error', listener: () => void): void;
  on(event: 'message', listener: (data: { toString(): string }) => void): void;
  send(text: string): void;
  terminate(): void;
}

const RECONNECT = 100;

/**
 * What the nodes show in an editor, as the editor learns it: over the admin API's websocket, which also tells a newcomer
 * the statuses shown so far. Connects again when Node-RED has been restarted.
 *
 * @param packageRoot - where node-red is installed
 * @returns gives the last status of a node
 */
export function watchStatus(packageRoot: string, url: string): (node: string) => Status | undefined {
  const nodeRed = createRequire(join(packageRoot, 'node_modules/@node-red/editor-api/package.json'));
  const Socket = nodeRed('ws') as new (url: string) => WebSocket;
  const statuses = new Map<string, Status>();
  let socket: WebSocket;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  const connect = (): void => {
    socket = new Socket(`${url.replace('http', 'ws')}/comms`);
    socket.on('open', () => socket.send(JSON.stringify({ subscribe: 'status/#' })));
    socket.on('message', (text) => {
      const messages = [JSON.parse(text.toString())].flat() as { topic?: string; data: Status }[];
      for (const { topic, data } of messages) {
        // With users, core asks for a token first; statuses are then not for us.
        if (topic?.startsWith('status/')) statuses.set(topic.slice('status/'.length), data);
      }
    });
    // An error is followed by a close.
    socket.on('error', () => statuses.clear());
    socket.on('close', () => {
      if (!ended) timer = setTimeout(connect, RECONNECT);
    });
  };
  connect();
  atEndOfFile(() => {
    ended = true;
    clearTimeout(timer);
    socket.terminate();
  });
  return (node) => statuses.get(node);
}
