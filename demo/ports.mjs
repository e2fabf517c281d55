import { connect, createServer } from 'node:net';

const given = new Set();

/** Whether anybody answers at a loopback port. */
export function isListening(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2000 });
    const answer = (listening) => {
      resolve(listening);
      socket.destroy();
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}

function tryToListen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: bound } = server.address();
      server.close(() => resolve(bound));
    });
  });
}

/** The preferred loopback port if nobody uses it, else any free one; never the same one twice. */
export async function freePort(preferred) {
  // Some systems let a program listen on 127.0.0.1 although another one holds the port on all addresses.
  const taken = given.has(preferred) || (await isListening(preferred));
  let port = taken ? undefined : await tryToListen(preferred);
  while (port === undefined || given.has(port)) port = await tryToListen(0);
  given.add(port);
  return port;
}
