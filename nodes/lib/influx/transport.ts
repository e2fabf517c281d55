import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { HttpError, InfluxDB, type Transport as ClientTransport } from '@influxdata/influxdb-client';
import { PackError, reasonOf } from '../errors';
import { TimeoutError } from './connection-fault';
import type { Answer } from './outcome';

/** TLS options as Node.js takes them; `servername` and `rejectUnauthorized` included. */
export type TlsOptions = SecureContextOptions & { servername?: string; rejectUnauthorized?: boolean };

export interface TransportOptions {
  /** Such as `http://localhost:8086`, with a path when a proxy asks for one. */
  url: string;
  /** For every request. */
  headers: Record<string, string>;
  tls?: TlsOptions;
  /** Milliseconds from the start of a request to the end of its answer. */
  timeout: number;
  /** Whether bodies are compressed; default: unless the server is on this machine, where it only costs time. */
  gzip?: boolean;
}

export interface RequestOptions {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** With the query. */
  path: string;
  body?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const compress = promisify(gzip);
/** A smaller body is not worth compressing. */
const GZIP_FROM = 1000;
const IDLE_SOCKETS = 4;
const LOOPBACK = /^(?:localhost|127\.[0-9.]+|\[::1\])$/;

function readUrl(text: string): URL {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new PackError('not-configured', `"${text}" is not a URL that starts with http:// or https://`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new PackError('not-configured', 'user name, password and token have fields of their own, outside the URL');
  }
  return url;
}

function checkTls(options: TlsOptions): void {
  try {
    createSecureContext(options);
  } catch (error) {
    throw new PackError('not-configured', `the TLS configuration cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

/** Requests to one server: connections kept open, each request with a deadline after which its socket is destroyed. */
export class Transport {
  /** Name and port, as in the URL. */
  readonly host: string;
  readonly #client: ClientTransport;
  readonly #agent: HttpAgent;
  readonly #timeout: number;
  readonly #gzip: boolean;

  /** @throws PackError `not-configured` for options that can never work. */
  constructor(options: TransportOptions) {
    const url = readUrl(options.url);
    const tls = options.tls ?? {};
    checkTls(tls);
    for (const value of Object.values(options.headers)) {
      if (/[^\x20-\x7e]/.test(value))
        throw new PackError('not-configured', 'the token has characters that no token has');
    }
    const pooling = { keepAlive: true, maxFreeSockets: IDLE_SOCKETS };
    this.host = url.host;
    this.#agent = url.protocol === 'https:' ? new HttpsAgent({ ...pooling, ...tls }) : new HttpAgent(pooling);
    this.#timeout = options.timeout;
    this.#gzip = options.gzip ?? !LOOPBACK.test(url.hostname);
    this.#client = new InfluxDB({
      // The client takes this suffix off too, but writes a warning to the console.
      url: `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/api\/v[23]$/, '')}`,
      headers: options.headers,
      // Its own time-out leaves the socket open: see `send`.
      timeout: 0,
      // InfluxDB quotes refused lines in a header too, with whatever control characters they hold. A strict parser would take
      // that for no answer at all, and the lines would be sent for ever.
      transportOptions: { agent: this.#agent, insecureHTTPParser: true },
    }).transport;
  }

  /**
   * Resolves with any answer. Rejects when none came: with a `TimeoutError`, with the signal's reason when it was aborted,
   * else with what Node.js says of the connection.
   */
  async send(request: RequestOptions): Promise<Answer> {
    const deadline = new AbortController();
    const giveUp = (): void => deadline.abort(request.signal?.reason);
    request.signal?.throwIfAborted();
    request.signal?.addEventListener('abort', giveUp, { once: true });
    const timer = setTimeout(() => deadline.abort(new TimeoutError(this.#timeout)), this.#timeout);
    try {
      return await this.#exchange(request, deadline.signal);
    } catch (error) {
      // The reason of the abort says more than the error of the request that it ended.
      deadline.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', giveUp);
    }
  }

  /**
   * The parts of an answer as they arrive, read no faster than they are taken. The time-out is for each part: an answer may
   * take as long as it needs while it goes on. Throws what `send` rejects with, and an `HttpError` for a status of 300 and more.
   */
  async *stream(request: RequestOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const { method, path, body = '', headers = {}, signal } = request;
    const deadline = new AbortController();
    const giveUp = (): void => deadline.abort(signal?.reason);
    const parts = this.#client.iterate(path, body, { method, headers, signal: deadline.signal });
    // Given up only while a part is waited for: Node.js takes a request badly that is aborted with its answer at hand.
    const next = async (): Promise<IteratorResult<Uint8Array, unknown>> => {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', giveUp, { once: true });
      const timer = setTimeout(() => deadline.abort(new TimeoutError(this.#timeout)), this.#timeout);
      return parts.next().finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
      });
    };
    try {
      for (let part = await next(); part.done !== true; part = await next()) yield part.value;
    } catch (error) {
      deadline.signal.throwIfAborted();
      throw error;
    } finally {
      // Where the caller has had enough, the rest of the answer must not keep the connection.
      await parts.return?.();
    }
    // An answer that was given up can look like one that has come to its end.
    deadline.signal.throwIfAborted();
  }

  /** Ends what is under way and closes all connections. */
  close(): void {
    this.#agent.destroy();
  }

  async #exchange({ method, path, body = '', headers = {} }: RequestOptions, signal: AbortSignal): Promise<Answer> {
    const text = Buffer.from(body);
    const isCompressed = this.#gzip && text.length >= GZIP_FROM;
    // Level 1 costs a third of the default and leaves line protocol only an eighth larger.
    const bytes = isCompressed ? await compress(text, { level: constants.Z_BEST_SPEED }) : text;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const answer: Answer = { status: 0, body: '', headers: {} };
      const parts: Uint8Array[] = [];
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
      this.#client.send(
        path,
        // Declared as a string, but the client makes a Buffer of whatever it is: bytes stay as they are.
        bytes as unknown as string,
        { method, headers: { ...headers, ...(isCompressed && { 'content-encoding': 'gzip' }) }, signal },
        {
          responseStarted(responseHeaders, status) {
            answer.status = status ?? 0;
            answer.headers = responseHeaders;
          },
          next(part) {
            parts.push(part);
          },
          error(error) {
            if (error instanceof HttpError) resolve({ ...answer, body: error.body ?? '' });
            else reject(error);
          },
          complete() {
            resolve({ ...answer, body: Buffer.concat(parts).toString() });
          },
        },
      );
    });
  }
}
