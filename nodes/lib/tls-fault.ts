/** What keeps a TLS connection from being made. */
export type TlsFault =
  | 'untrusted'
  | 'expired'
  | 'not-yet-valid'
  /** the certificate is not for the host that was called */
  | 'other-host'
  /** what answers does not speak TLS */
  | 'no-tls'
  /** the server wants a client certificate, and got none */
  | 'certificate-wanted'
  /** the server got a client certificate, and does not like it */
  | 'certificate-refused'
  | 'other';

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
]);

/** An alert of the server about our certificate, RFC 8446 section 6.2, in OpenSSL's words. */
const REFUSED =
  /alert (bad certificate|unsupported certificate|certificate revoked|certificate expired|certificate unknown|unknown ca)/;

/**
 * The fault behind an error of a TLS connection; undefined when it is not one of TLS.
 *
 * @param code - as Node.js gives it
 * @param words - the error's text, where OpenSSL's own words are
 */
export function tlsFaultOf(code: string, words: string): TlsFault | undefined {
  if (UNTRUSTED.has(code)) return 'untrusted';
  if (code === 'CERT_HAS_EXPIRED') return 'expired';
  if (code === 'CERT_NOT_YET_VALID') return 'not-yet-valid';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'other-host';
  if (words.includes('wrong version number') || words.includes('packet length too long')) return 'no-tls';
  if (words.includes('alert certificate required')) return 'certificate-wanted';
  if (REFUSED.test(words)) return 'certificate-refused';
  return code.startsWith('CERT_') || /^ERR_(SSL|TLS|OSSL)/.test(code) || code === 'EPROTO' ? 'other' : undefined;
}
