import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes';
import { tempDirectory } from './temp';

/** Paths of PEM files. */
export interface Certificates {
  /** The authority that signed the server's certificate. */
  authority: string;
  /** For 127.0.0.1 and localhost. */
  certificate: string;
  key: string;
}

/** A certificate authority of its own and a server certificate for loopback, made with openssl. */
export async function makeCertificates(): Promise<Certificates> {
  const cwd = tempDirectory('certificates');
  const openssl = (...args: string[]): Promise<string> => run('openssl', args, { cwd });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  await openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  writeFileSync(join(cwd, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2'];
  await openssl('x509', '-req', '-in', 'server.csr', ...signing, '-out', 'server.pem');
  return {
    authority: join(cwd, 'ca.pem'),
    certificate: join(cwd, 'server.pem'),
    key: join(cwd, 'server.key'),
  };
}
