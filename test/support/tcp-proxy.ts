import { connect, createServer, type Socket } from 'node:net';
import { atEndOfFile } from './cleanup';

export interface TcpProxy {
  readonly port: number;
  /** Breaks all connections off, as a network does: what is under way in them is lost. Returns how many. */
  cut(): number;
  connections(): number;
  /** While it is closed, nobody gets through; those who are through are cut off. */
  setOpen(open: boolean): void;
}

export interface ProxyOptions {
  /** Milliseconds that each piece takes one way: at least, at most. Default: none. */
  delay?: [least: number, most: number];
  /** From 0 up to 1. */
  random?: () => number;
}

/** Stands between a client and a server on loopback; closed when the test file ends. */
export async function startTcpProxy(target: number, options: ProxyOptions = {}): Promise<TcpProxy> {
  const { delay: [least, most] = [0, 0], random = Math.random } = options;
  const pairs = new Set<[Socket, Socket]>();
  let isOpen = true;

  const forward = (from: Socket, to: Socket): void => {
    let last = 0;
    const later = (work: () => void): void => {
      // Never before what came before.
      last = Math.max(last, performance.now() + least + (most - least) * random());
      setTimeout(work, last - performance.now());
    };
    from.on('data', (piece) => later(() => to.destroyed || to.write(piece)));
    from.on('end', () => later(() => to.end()));
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (!isOpen) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      for (const socket of pair) if (!socket.destroyed) socket.resetAndDestroy();
    };
    for (const socket of pair) {
      socket.setNoDelay();
      socket.on('error', end);
      socket.on('close', () => pair.every(({ destroyed }) => destroyed) && pairs.delete(pair));
    }
    forward(client, upstream);
    forward(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): number => {
    const cutOff = [...pairs];
    pairs.clear();
    for (const socket of cutOff.flat()) socket.resetAndDestroy();
    return cutOff.length;
  };
  atEndOfFile(() => {
    cut();
    server.close();
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    cut,
    connections: () => pairs.size,
    setOpen(open) {
      isOpen = open;
      if (!open) cut();
    },
  };
}
