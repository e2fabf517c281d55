import { request as httpRequest } from 'node:http';
import type { ServerOptions } from 'node:https';
import { FaultyServer, type Reply } from './faulty-server';
import type { SeenRequest } from './faults';

/** Passes a request on; 502 when the server behind cannot be reached, as a proxy does. */
function forward(target: string, seen: SeenRequest): Promise<Reply> {
  const url = new URL(`${target}${seen.path}?${seen.query.toString()}`);
  return new Promise((resolve) => {
    const fail = (): void => resolve({ status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>502</h1>' });
    // The whole body is here: it goes out with its length, however it came.
    const headers = { ...seen.headers, 'transfer-encoding': undefined, 'content-length': String(seen.body.length) };
    const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
    const outgoing = httpRequest(url, { method: seen.method, headers: given, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', fail);
      answer.on('end', () => {
        const kept = Object.entries(answer.headers).filter(
          ([name, value]) =>
            typeof value === 'string' && !['connection', 'keep-alive', 'transfer-encoding'].includes(name),
        );
        resolve({
          status: answer.statusCode ?? 502,
          headers: Object.fromEntries(kept) as Record<string, string>,
          body: Buffer.concat(parts),
        });
      });
    });
    outgoing.on('error', fail);
    outgoing.end(seen.body);
  });
}

/**
 * A reverse proxy before any HTTP server, the real InfluxDB 1.x above all, that can be told to misbehave:
 * `proxy.faults.inject(…)`, `proxy.faults.heal()`, and `proxy.close()` / `proxy.listen()` for a server that is away.
 *
 * @param target - URL of the server behind
 * @param tls - certificate and key: serves HTTPS
 */
export function startFaultProxy(target: string, tls?: ServerOptions): Promise<FaultyServer> {
  return FaultyServer.start((seen) => forward(target, seen), tls);
}
