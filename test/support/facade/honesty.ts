import { FaultyServer, type Reply } from './faulty-server';
import type { SeenRequest } from './faults';

/** Thrown for a request whose answer by a real server nobody has observed. */
export class Unknown extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'Unknown';
  }
}

/** Answers a request, or throws `Unknown`. */
export type Handler = (request: SeenRequest) => Reply | Promise<Reply>;

/**
 * What the façades have in common: they know what they know. Anything else is answered 501 and kept, and `assertHonest`
 * fails the test that asked for it.
 */
export class HonestServer {
  readonly server: FaultyServer;
  readonly #unknown: string[];

  private constructor(server: FaultyServer, unknown: string[]) {
    this.server = server;
    this.#unknown = unknown;
  }

  static async start(handler: Handler): Promise<HonestServer> {
    const unknown: string[] = [];
    const server = await FaultyServer.start(async (request) => {
      try {
        return await handler(request);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        unknown.push(`${request.method} ${request.path}?${request.query.toString()}: ${reason}`);
        return { status: 501, headers: { 'content-type': 'text/plain' }, body: reason };
      }
    });
    return new HonestServer(server, unknown);
  }

  assertHonest(): void {
    if (this.#unknown.length > 0) {
      throw new Error(`the façade was asked for what it does not know:\n${this.#unknown.join('\n')}`);
    }
  }
}

/** A single header; undefined when it was not sent. */
export function header(request: SeenRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** @throws Unknown for a parameter that is not in the list */
export function onlyParameters(request: SeenRequest, ...known: string[]): void {
  for (const name of request.query.keys()) {
    if (!known.includes(name)) throw new Unknown(`parameter ${name}`);
  }
}

/** @throws Unknown for a form of content that has not been observed */
export function onlyContent(request: SeenRequest, ...types: string[]): void {
  const type = header(request, 'content-type');
  if (type !== undefined && !types.some((known) => type.startsWith(known))) throw new Unknown(`content-type ${type}`);
  const encoding = header(request, 'content-encoding');
  if (encoding !== undefined && encoding !== 'gzip') throw new Unknown(`content-encoding ${encoding}`);
}
