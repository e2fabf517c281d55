import { connectionFault } from './connection-fault';
import { headerOf, influxWordsOf, type Answer } from './outcome';
import type { Transport } from './transport';

/** Characters of a version that are shown: whatever answers may name any. */
const LONGEST_VERSION = 40;

/** What a test of the connection found; `message` is for the operator and says what to do. */
export interface TestResult {
  ok: boolean;
  code:
    | 'ok'
    | 'unreachable'
    | 'timeout'
    | 'tls'
    | 'wrong-version'
    | 'unauthorized'
    | 'forbidden'
    | 'not-found'
    /** 2.x: the token writes to the organization that is named and reads another one */
    | 'other-organization'
    /** something answers, but not as InfluxDB of this version does */
    | 'unexpected';
  message: string;
  /** As the server gives it, without a leading `v`. */
  serverVersion?: string;
}

export function failed(code: TestResult['code'], message: string, serverVersion?: string): TestResult {
  return { ok: false, code, message, ...(serverVersion !== undefined && { serverVersion }) };
}

export function passed(message: string, serverVersion?: string): TestResult {
  const named = serverVersion === undefined ? message : `InfluxDB ${serverVersion}: ${message}`;
  return { ok: true, code: 'ok', message: named, ...(serverVersion !== undefined && { serverVersion }) };
}

/** Runs a test; what goes wrong with the connection meanwhile becomes its result. */
export async function tested(host: string, test: () => Promise<TestResult>): Promise<TestResult> {
  try {
    return await test();
  } catch (error) {
    const { code, message } = connectionFault(error, host);
    return failed(code, message);
  }
}

/** What no version answers to a request that it knows. */
export function unexpected(answer: Answer, host: string, version?: string): TestResult {
  const words = influxWordsOf(answer);
  if (answer.status === 400 && answer.body.includes('HTTP request to an HTTPS server')) {
    return failed('tls', `${host} expects a secure connection: use https:// in the URL`);
  }
  const said = words === '' ? `HTTP ${answer.status}` : `HTTP ${answer.status}: ${words}`;
  return failed('unexpected', `${host} does not answer as InfluxDB does: check URL and version (${said})`, version);
}

/**
 * Asks `/ping`, which tells the version without credentials (3.x wants its token).
 *
 * @returns the version, undefined when the server keeps it to itself; or why there is no point in going on
 */
export async function pingedVersion(
  transport: Transport,
  chosen: '1' | '2' | '3',
): Promise<string | undefined | TestResult> {
  const answer = await transport.send({ method: 'GET', path: '/ping' });
  const version = headerOf(answer, 'x-influxdb-version')?.replace(/^v/, '').slice(0, LONGEST_VERSION);
  const major = /^([0-9]+)\./.exec(version ?? '')?.[1];
  if (version === undefined || major === undefined || major === chosen) {
    return answer.status === 400 ? unexpected(answer, transport.host) : version;
  }
  return failed(
    'wrong-version',
    `This is InfluxDB ${version}: choose ${major}.x as the version of the server`,
    version,
  );
}

/** Whether anybody answers to `/ping` as InfluxDB does: 3.x with 401 to a token that it does not know. */
export async function answersPing(transport: Transport): Promise<boolean> {
  try {
    const { status } = await transport.send({ method: 'GET', path: '/ping' });
    return status < 300 || status === 401;
  } catch {
    return false;
  }
}
