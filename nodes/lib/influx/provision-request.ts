import { reasonOf } from '../errors';
import { connectionFault } from './connection-fault';
import { reasonOfAnswer, type Answer } from './outcome';
import { ProvisionError } from './provision';
import type { RequestOptions, Transport } from './transport';

/** Sends a request of the management; an answer of whatever status is an answer. */
export async function ask(transport: Transport, request: RequestOptions): Promise<Answer> {
  try {
    return await transport.send(request);
  } catch (error) {
    throw new ProvisionError(connectionFault(error, transport.host).message, { cause: error });
  }
}

export function askJson(
  transport: Transport,
  method: RequestOptions['method'],
  path: string,
  body?: unknown,
): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  return ask(transport, { method, path, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
}

/** What no version is known to answer. */
export function unexpectedAnswer(answer: Answer, host: string): ProvisionError {
  return new ProvisionError(`${host} does not answer as InfluxDB does: ${reasonOfAnswer(answer)}`);
}

/** The answer's body, whatever JSON it is. */
export function parsed(answer: Answer, host: string): unknown {
  try {
    return JSON.parse(answer.body) as unknown;
  } catch (error) {
    throw new ProvisionError(`${host} does not answer as InfluxDB does: ${reasonOf(error)}`, { cause: error });
  }
}
