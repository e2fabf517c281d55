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

/** A certificate authority of its own, and what it has signed. */
export interface CertificateAuthority {
  /** Path of its own certificate. */
  authority: string;
  /** For a server at these names, as OpenSSL writes them; by default loopback. `days` below 0: it has expired. */
  forServer(options?: { names?: string; days?: number }): Promise<Certificates>;
  forClient(name: string): Promise<Certificates>;
}

const LOOPBACK = 'DNS:localhost,IP:127.0.0.1';
const NEW_KEY = ['-newkey', 'rsa:2048', '-nodes'];

/** Made with openssl. */
export async function makeAuthority(): Promise<CertificateAuthority> {
  const cwd = tempDirectory('certificates');
  const openssl = (...args: string[]): Promise<string> => run('openssl', args, { cwd });
  const self = [
    '-x509',
    ...NEW_KEY,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  ];
  await openssl('req', ...self);
  const authority = join(cwd, 'ca.pem');
  let made = 0;
  const sign = async (subject: string, extensions: string, days: number): Promise<Certificates> => {
    const serial = String(++made);
    const name = `certificate-${serial}`;
    writeFileSync(join(cwd, `${name}.ext`), `${extensions}\n`);
    await openssl('req', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${subject}`);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', serial, '-extfile', `${name}.ext`];
    await openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-days', String(days), '-out', `${name}.pem`);
    return { authority, certificate: join(cwd, `${name}.pem`), key: join(cwd, `${name}.key`) };
  };
  return {
    authority,
    forServer: ({ names = LOOPBACK, days = 2 } = {}) => sign('localhost', `subjectAltName=${names}`, days),
    forClient: (name) => sign(name, 'extendedKeyUsage=clientAuth', 2),
  };
}

/** An authority of its own and a server certificate for loopback. */
export async function makeCertificates(): Promise<Certificates> {
  return (await makeAuthority()).forServer();
}
