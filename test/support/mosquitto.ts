import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Certificates } from './certificates';
import { freePort } from './ports';
import { run, startChild, type Child } from './processes';
import { tempDirectory } from './temp';
import { until } from './until';

export interface MosquittoOptions {
  /** Messages kept for a slow subscriber. Default 0, no limit: mosquitto's own default of 1000 drops silently. */
  maxQueuedMessages?: number;
  /** Listen with TLS. */
  tls?: Certificates;
  /** Only clients that have a certificate of the same authority. */
  requireCertificate?: boolean;
  /** Keep sessions and messages on disk, as an orderly stop leaves them. Default: nothing is kept. */
  persistence?: boolean;
  /** Lines of an access control list; default: everybody may do everything. */
  acl?: string[];
  /** Only these users: name and password. */
  users?: Record<string, string>;
  /** More lines for the configuration file. */
  configuration?: string[];
}

export interface Mosquitto {
  readonly port: number;
  /** `mqtt://…` or `mqtts://…` */
  readonly url: string;
  log(): string;
  /** Waits until somebody has subscribed to this filter, since a `mark()`. */
  waitForSubscription(filter: string, since?: number): Promise<void>;
  mark(): number;
  kill(): Promise<void>;
  /** SIGSTOP: the kernel still takes what is sent, nothing is answered. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  stop(): Promise<void>;
  /** Client ids of the clients that have connected, in their order, since a `mark()`. */
  clientIds(since?: number): string[];
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  /** Removes what it has kept on disk; while it is stopped. */
  forget(): void;
}

export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A private mosquitto on loopback that anybody may use and that keeps nothing; stopped when the test file ends. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { tls } = options;
  const port = await freePort();
  const directory = tempDirectory('mosquitto');
  const configuration = join(directory, 'mosquitto.conf');
  const file = (name: string): string => join(directory, name);
  const lines = [
    `listener ${port} 127.0.0.1`,
    ...(tls ? [`cafile ${tls.authority}`, `certfile ${tls.certificate}`, `keyfile ${tls.key}`] : []),
    ...(options.requireCertificate ? ['require_certificate true'] : []),
    `allow_anonymous ${options.users ? 'false' : 'true'}`,
    ...(options.users ? [`password_file ${file('passwords')}`] : []),
    ...(options.acl ? [`acl_file ${file('acl')}`] : []),
    ...(options.persistence ? ['persistence true', `persistence_location ${directory}/`] : ['persistence false']),
    `max_queued_messages ${options.maxQueuedMessages ?? 0}`,
    'max_inflight_messages 1000',
    ...['error', 'warning', 'notice', 'subscribe'].map((type) => `log_type ${type}`),
    // Started as root it would become another user, who may not read the test's directory.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...(options.configuration ?? []),
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  if (options.acl) writeFileSync(file('acl'), `${options.acl.join('\n')}\n`);
  if (options.users) {
    const passwords = Object.entries(options.users).map(([name, password]) => `${name}:${password}\n`);
    writeFileSync(file('passwords'), passwords.join(''), { mode: 0o600 });
    await run('mosquitto_passwd', ['-U', file('passwords')]);
  }

  let child: Child;
  const start = async (): Promise<void> => {
    child = await startChild('mosquitto', ['-c', configuration], {
      // Debian keeps it where only root looks.
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
      ready: () => isListening(port),
    });
  };
  await start();
  return {
    port,
    url: `${tls ? 'mqtts' : 'mqtt'}://127.0.0.1:${port}`,
    log: () => child.output(),
    mark: () => child.mark(),
    async waitForSubscription(filter, since = 0) {
      await until(`the broker has a subscription to ${filter}`, () =>
        child
          .output(since)
          .split('\n')
          .some((line) => line.endsWith(` ${filter}`)),
      );
    },
    kill: () => child.kill(),
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    clientIds: (since = 0) =>
      Array.from(child.output(since).matchAll(/New client connected from \S+ as (\S+) /g), ([, id = '']) => id),
    async stop() {
      await child.stop();
    },
    async restart() {
      if (child.isRunning()) await child.stop();
      await start();
    },
    forget: () => rmSync(file('mosquitto.db'), { force: true }),
  };
}
