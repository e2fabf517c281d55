import { reasonOf } from '../errors';
import { tlsFaultOf, type TlsFault } from '../tls-fault';

/** Why no answer came. `message` says what is wrong and what to do about it. */
export interface ConnectionFault {
  code: 'unreachable' | 'timeout' | 'tls';
  message: string;
  /** The connection was there, but not for as long as the request took: a smaller one may get through. */
  brokeOff: boolean;
}

/** A request that was given up because it took too long. */
export class TimeoutError extends Error {
  constructor(milliseconds: number) {
    super(`no answer within ${milliseconds / 1000} s`);
    this.name = 'TimeoutError';
  }
}

const TLS_MESSAGES: Record<TlsFault, string> = {
  untrusted:
    'The certificate of the server is not trusted: give the certificate of its authority in the TLS configuration',
  expired: 'The certificate of the server has expired: it must be renewed there',
  'not-yet-valid': 'The certificate of the server is not valid yet: check the clocks of both machines',
  'other-host':
    'The certificate of the server is for another host name: use a name it was made for in the URL, or give that name as server name in the TLS configuration',
  'no-tls': 'The server does not speak TLS there: use http:// in the URL, or the port for https',
  'certificate-wanted': 'The server asks for a client certificate: give one in the TLS configuration',
  'certificate-refused': 'The server does not accept the client certificate: check the TLS configuration',
  other: 'No secure connection is possible: check the TLS configuration',
};

function networkMessage(code: string, host: string): string {
  switch (code) {
    case 'ENOTFOUND':
      return `The host name of ${host} is not known: check the URL`;
    case 'EAI_AGAIN':
      return `The host name of ${host} cannot be looked up at the moment: check the URL and the network`;
    case 'ECONNREFUSED':
      return `Nothing listens at ${host}: check the URL, and that InfluxDB is running`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return `${host} cannot be reached: check the URL, the network and the firewall`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `${host} closed the connection without an answer: check the URL (http or https?)`;
    default:
      return `There is no HTTP answer from ${host}: check the URL`;
  }
}

/** With several addresses for a name, Node.js reports one error for all of them, with the code but without a text. */
function detailsOf(error: unknown): { code: string; words: string } {
  const first: unknown = error instanceof AggregateError && error.message === '' ? error.errors[0] : error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return { code, words: reasonOf(first) };
}

/** @param host - name and port, as in the URL */
export function connectionFault(error: unknown, host: string): ConnectionFault {
  if (error instanceof TimeoutError) {
    return {
      code: 'timeout',
      message: `${host} gave ${error.message}: check that InfluxDB is well, or allow more time`,
      brokeOff: true,
    };
  }
  const { code, words } = detailsOf(error);
  const tls = tlsFaultOf(code, words);
  const message = `${tls === undefined ? networkMessage(code, host) : TLS_MESSAGES[tls]} (${words})`;
  return {
    code: tls === undefined ? 'unreachable' : 'tls',
    message,
    brokeOff: code === 'ECONNRESET' || code === 'EPIPE',
  };
}
