import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which the system takes ports for outgoing connections, so that a server that is stopped and
// started again finds its port free. Test files that run at the same time take theirs from ranges of their own, so that
// none takes a port whose server is only just starting, or is stopped for a while.
const FIRST = 20_000;
const RANGE = 1_500;
const RANGES = 8;
const first = FIRST + (Number(process.env['VITEST_POOL_ID'] ?? 0) % RANGES) * RANGE;
const given = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A loopback port nobody listens on, and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(first, first + RANGE);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}
