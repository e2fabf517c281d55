import { createServer, type Socket } from 'node:net';
import { atEndOfFile } from './cleanup';

/** A packet that a client has sent: its type (the upper four bits) and what follows the length. */
export interface ClientPacket {
  type: number;
  body: Buffer;
}

export interface ScriptedBroker {
  readonly port: number;
  /** All packets so far, of all connections. */
  packets: ClientPacket[];
  connections(): number;
  /** Sends bytes on the newest connection. */
  send: (...bytes: number[]) => void;
  close: () => void;
  /** Reads no more on the newest connection. */
  pause: () => void;
}

export const CONNECT = 1;
export const PUBLISH = 3;
export const PUBREL = 6;
export const SUBSCRIBE = 8;
export const PINGREQ = 12;

/** The packets in a piece of a stream that holds whole ones, all of them shorter than 16 KiB. */
function* packetsIn(bytes: Buffer): Generator<ClientPacket> {
  for (let at = 0; at < bytes.length;) {
    const [first = 0, low = 0, high = 0] = bytes.subarray(at);
    const isLong = low >= 128;
    const length = isLong ? (low & 127) + high * 128 : low;
    const start = at + (isLong ? 3 : 2);
    yield { type: first >> 4, body: bytes.subarray(start, start + length) };
    at = start + length;
  }
}

/** A broker that says only what a test lets it say, for answers that no real one can be brought to give. */
export async function startScriptedBroker(
  answer: (packet: ClientPacket, broker: ScriptedBroker) => void,
): Promise<ScriptedBroker> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      for (const packet of packetsIn(bytes)) {
        if (socket.destroyed) return;
        broker.packets.push(packet);
        answer(packet, broker);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const broker: ScriptedBroker = {
    port: typeof address === 'object' && address ? address.port : 0,
    packets: [],
    connections: () => sockets.length,
    send: (...bytes) => void sockets.at(-1)?.write(Buffer.from(bytes)),
    close: () => void sockets.at(-1)?.destroy(),
    pause: () => void sockets.at(-1)?.pause(),
  };
  atEndOfFile(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return broker;
}
