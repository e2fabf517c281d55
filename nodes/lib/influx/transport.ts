import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
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
/**
 * Bytes of an answer that are read at most. 3.x says some 200 bytes of each line that it refuses, and a batch of nothing else
 * has 25,000 of them.
 */
const LONGEST_ANSWER = 16 * 1024 * 1024;
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

/** An answer of status 300 or more where rows were asked for. */
export class AnswerError extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`HTTP ${answer.status}`);
    this.name = 'AnswerError';
    this.answer = answer;
  }
}

/**
 * Requests to one server: connections kept open, each request with a deadline after which its socket is destroyed.
 *
 * Node's own HTTP: InfluxDB's client reads 1,000 characters of a refusal that is not declared as JSON, which 3.x never declares,
 * and any amount of one that is.
 */
export class Transport {
  /** Name and port, as in the URL. */
  readonly host: string;
  readonly #base: URL;
  readonly #path: string;
  readonly #headers: Record<string, string>;
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
    this.#base = url;
    // People copy the address of the API.
    this.#path = url.pathname.replace(/\/+$/, '').replace(/\/api\/v[23]$/, '');
    this.#headers = options.headers;
    this.#agent = url.protocol === 'https:' ? new HttpsAgent({ ...pooling, ...tls }) : new HttpAgent(pooling);
    this.#timeout = options.timeout;
    this.#gzip = options.gzip ?? !LOOPBACK.test(url.hostname);
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
      return await answerOf(await this.#begin(request, deadline.signal));
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
   * take as long as it needs while it goes on. Throws what `send` rejects with, and an `AnswerError` for a status of 300 and more.
   */
  async *stream(request: RequestOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = request;
    const deadline = new AbortController();
    const giveUp = (): void => deadline.abort(signal?.reason);
    // Given up only while something is waited for: who works on a part ends by himself.
    const within = async <T>(step: () => Promise<T>): Promise<T> => {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', giveUp, { once: true });
      const timer = setTimeout(() => deadline.abort(new TimeoutError(this.#timeout)), this.#timeout);
      return step().finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
      });
    };
    let response: IncomingMessage | undefined;
    try {
      const begun = await within(() => this.#begin(request, deadline.signal));
      response = begun;
      if ((begun.statusCode ?? 0) >= 300) throw new AnswerError(await within(() => answerOf(begun)));
      const parts = begun[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown>;
      const next = (): Promise<IteratorResult<Uint8Array, unknown>> => within(() => parts.next());
      for (let part = await next(); part.done !== true; part = await next()) yield part.value;
    } catch (error) {
      deadline.signal.throwIfAborted();
      throw error;
    } finally {
      // Where the caller has had enough, the rest of the answer must not keep the connection.
      if (response?.complete === false) response.destroy();
    }
    // An answer that was given up can look like one that has come to its end.
    deadline.signal.throwIfAborted();
  }

  /** Ends what is under way and closes all connections. */
  close(): void {
    this.#agent.destroy();
  }

  /** Resolves when the head of the answer is there. */
  async #begin(
    { method, path, body = '', headers = {} }: RequestOptions,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const text = Buffer.from(body);
    const isCompressed = this.#gzip && text.length >= GZIP_FROM;
    // Level 1 costs a third of the default and leaves line protocol only an eighth larger.
    const bytes = isCompressed ? await compress(text, { level: constants.Z_BEST_SPEED }) : text;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const request = this.#request(method, path, {
        ...this.#headers,
        ...headers,
        ...(isCompressed && { 'content-encoding': 'gzip' }),
        'content-length': String(bytes.length),
      });
      const giveUp = (): void => void request.destroy(new Error('given up'));
      signal.addEventListener('abort', giveUp, { once: true });
      request.once('close', () => signal.removeEventListener('abort', giveUp));
      request.once('response', resolve);
      request.on('error', reject);
      request.end(bytes);
    });
  }

  #request(method: string, path: string, headers: Record<string, string>): ClientRequest {
    const options = {
      method,
      agent: this.#agent,
      headers,
      // InfluxDB quotes refused lines in a header too, with whatever control characters they hold. A strict parser would take
      // that for no answer at all, and the lines would be sent for ever.
      insecureHTTPParser: true,
    };
    const url = new URL(`${this.#base.origin}${this.#path}${path}`);
    return url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
  }
}

/** The rest of a body that is too long is not read: what has come says what it is about. */
async function answerOf(response: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length > LONGEST_ANSWER) break;
  }
  const body = Buffer.concat(parts).subarray(0, LONGEST_ANSWER).toString();
  return { status: response.statusCode ?? 0, body, headers: response.headers };
}
