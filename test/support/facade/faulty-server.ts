import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { atEndOfFile } from '../cleanup';
import { freePort } from '../ports';
import { Faults, type SeenRequest } from './faults';

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Instead of an answer the connection is closed, as by a server that panics. */
  closes?: boolean;
}

/** Collects a body; undefined when the client went away before its end. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  try {
    for await (const part of request) parts.push(part as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(parts);
}

/** An HTTP server on loopback that answers by `answer`, unless a fault has been injected. Closed when the test file ends. */
export class FaultyServer {
  readonly port: number;
  readonly url: string;
  /** Every request so far, in the order they came. */
  readonly seen: SeenRequest[] = [];
  readonly faults = new Faults();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answer: (request: SeenRequest) => Promise<Reply>;

  private constructor(port: number, answer: (request: SeenRequest) => Promise<Reply>, tls: ServerOptions | undefined) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => void this.#handle(request, response);
    this.port = port;
    this.url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    this.#answer = answer;
    this.#server = tls ? createTlsServer(tls, handle) : createServer(handle);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(answer: (request: SeenRequest) => Promise<Reply>, tls?: ServerOptions): Promise<FaultyServer> {
    const server = new FaultyServer(await freePort(), answer, tls);
    await server.listen();
    atEndOfFile(() => server.close());
    return server;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Takes connections again after `close`, on the same port. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.port, '127.0.0.1', resolve);
    });
    if ((this.#server.address() as AddressInfo).port !== this.port) throw new Error('listens on another port');
  }

  /** Resets all connections and refuses new ones. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.alloc(0),
      at: Date.now(),
      status: undefined,
    };
    this.seen.push(seen);
    const body = await bodyOf(request);
    if (body === undefined) return;
    seen.body = body;
    const reply = await this.#replyTo(seen, request.socket);
    if (!reply || response.destroyed) return;
    if (reply.closes === true) {
      request.socket.destroy();
      return;
    }
    seen.status = reply.status;
    response.writeHead(reply.status, reply.headers).end(reply.body);
  }

  /** Undefined: nothing is answered. */
  async #replyTo(seen: SeenRequest, socket: Socket): Promise<Reply | undefined> {
    const fault = this.faults.faultFor(seen);
    switch (fault?.kind) {
      case 'hang':
        return undefined;
      case 'reset':
        socket.resetAndDestroy();
        return undefined;
      case 'answer':
        return fault;
      case 'too-large':
        if (seen.body.length <= fault.bytes) break;
        return {
          status: 413,
          headers: { 'content-type': 'application/json', connection: 'close' },
          body: '{"error":"Request Entity Too Large"}',
        };
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
        break;
      case undefined:
    }
    return this.#answer(seen);
  }
}
