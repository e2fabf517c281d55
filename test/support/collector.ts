import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { atEndOfFile } from './cleanup';
import { until } from './until';

/** A message as the flow had it. Buffers are Buffers again. */
export type CollectedMessage = Record<string, unknown>;

/** Receives what `test-collect` nodes get, in the test's own process: it outlives a killed Node-RED. */
export interface Collector {
  readonly port: number;
  messages(label: string): CollectedMessage[];
  /** Waits until at least `count` messages have come, and returns all of that label. */
  waitFor(label: string, count?: number, deadline?: number): Promise<CollectedMessage[]>;
  /** Open connections: one for each `test-collect` node that is running. */
  connections(): number;
  clear(): void;
}

function revive(_key: string, value: unknown): unknown {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data as number[]) : value;
}

/** Listens on loopback for the `test-collect` nodes of a flow; closed when the test file ends. */
export async function startCollector(): Promise<Collector> {
  const collected = new Map<string, CollectedMessage[]>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // A killed Node-RED resets the connection.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    createInterface({ input: socket }).on('line', (line) => {
      // The last line of a killed process may be cut off.
      if (!line.endsWith('}')) return;
      const { label, message } = JSON.parse(line, revive) as { label: string; message: CollectedMessage };
      const messages = collected.get(label);
      if (messages) messages.push(message);
      else collected.set(label, [message]);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEndOfFile(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const messages = (label: string): CollectedMessage[] => collected.get(label) ?? [];
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    messages,
    waitFor: (label, count = 1, deadline = 20_000) =>
      until(
        `${count} messages at "${label}"`,
        () => messages(label),
        (seen) => seen.length >= count,
        { deadline },
      ),
    connections: () => sockets.size,
    clear: () => collected.clear(),
  };
}
