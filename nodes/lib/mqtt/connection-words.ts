import { reasonOf } from '../errors';
import { tlsFaultOf, type TlsFault } from '../tls-fault';

const TLS_WORDS: Record<TlsFault, string> = {
  untrusted:
    'The certificate of the broker is not trusted: give the certificate of its authority in the TLS configuration',
  expired: 'The certificate of the broker has expired: it must be renewed there',
  'not-yet-valid': 'The certificate of the broker is not valid yet: check the clocks of both machines',
  'other-host':
    'The certificate of the broker is for another host name: use a name it was made for, or give that name as server name in the TLS configuration',
  'no-tls': 'The broker does not speak TLS at this port: use its port for TLS, or switch TLS off',
  'certificate-wanted': 'The broker asks for a client certificate: give one in the TLS configuration',
  'certificate-refused':
    'The broker does not accept the client certificate: it must be valid and from an authority that the broker trusts',
  other: 'No secure connection is possible: check the TLS configuration',
};

const NETWORK_WORDS: Record<string, string> = {
  ENOTFOUND: 'The host name of the broker is not known: check it',
  EAI_AGAIN: 'The host name of the broker cannot be looked up at the moment: check it and the network',
  ECONNREFUSED: 'Nothing listens there: check host and port, and that the broker is running',
  EHOSTUNREACH: 'The broker cannot be reached: check host, network and firewall',
  ENETUNREACH: 'The broker cannot be reached: check host, network and firewall',
  ETIMEDOUT: 'The broker cannot be reached: check host, network and firewall',
  ECONNRESET: 'The broker, or the network, broke the connection off',
  EPIPE: 'The broker, or the network, broke the connection off',
};

/** What a broker does at the sight of TLS that it does not expect, or of none where it does; and what one does that is not MQTT. */
export const NO_ANSWER =
  'The broker closed the connection without an answer: check the port, and whether TLS is to be used there';

/**
 * Why there is no connection to the broker, and what to do about it.
 *
 * @param hasAnswered - the broker has accepted this connection before
 */
export function connectionWords(error: unknown, hasAnswered: boolean): string {
  // With several addresses for a name, Node.js reports one error for all of them, with the code but without a text.
  const first: unknown = error instanceof AggregateError && error.message === '' ? error.errors[0] : error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const words = reasonOf(first);
  // A number is a reason code of MQTT, and MQTT.js says what it means.
  if (typeof code !== 'string') return words;
  if (!hasAnswered && (code === 'ECONNRESET' || code === 'EPIPE')) return `${NO_ANSWER} (${words})`;
  const tls = tlsFaultOf(code, words);
  const meaning = tls === undefined ? NETWORK_WORDS[code] : TLS_WORDS[tls];
  return meaning === undefined ? words : `${meaning} (${words})`;
}
