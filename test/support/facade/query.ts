import type { Backend } from './backend';
import type { Reply } from './faulty-server';
import { header, onlyParameters, Unknown } from './honesty';
import type { SeenRequest } from './faults';

const PARAMETERS = ['db', 'rp', 'q', 'epoch', 'chunked', 'chunk_size', 'params', 'u', 'p'];

function failInside(error: string): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ results: [{ statement_id: 0, error }] }),
  };
}

/**
 * InfluxQL, which the real 1.x behind answers: 2.x gives the same bytes, and 3.x takes the same parameters. Statements that
 * name a database or policy themselves, and all that is no reading, are not passed on.
 *
 * @param policyOf - the retention policy behind a bucket; undefined when it is missing or may not be read
 */
export async function answerQuery(
  request: SeenRequest,
  backend: Backend,
  policyOf: (bucket: string) => string | undefined,
): Promise<Reply> {
  onlyParameters(request, ...PARAMETERS);
  const form = request.method === 'POST' ? new URLSearchParams(request.body.toString()) : new URLSearchParams();
  const parameters = new URLSearchParams([...request.query, ...form]);
  const statement = parameters.get('q');
  const database = parameters.get('db') ?? '';
  if (statement === null || !/^\s*(?:SELECT|SHOW (?:MEASUREMENTS|FIELD|TAG|SERIES))\b/i.test(statement)) {
    throw new Unknown(`statement ${String(statement)}`);
  }
  if (/\sINTO\s/i.test(statement)) return failInside('not implemented: SELECT INTO');
  const policy = policyOf(database);
  if (policy === undefined) return failInside(`database not found: ${database}`);
  for (const name of ['u', 'p', 'db', 'rp']) parameters.delete(name);
  parameters.set('db', backend.database);
  parameters.set('rp', policy);
  const answer = await fetch(`${backend.influxd.url}/query`, {
    method: 'POST',
    body: parameters,
    headers: { accept: header(request, 'accept') ?? 'application/json' },
  });
  return {
    status: answer.status,
    headers: { 'content-type': answer.headers.get('content-type') ?? 'application/json' },
    body: Buffer.from(await answer.arrayBuffer()),
  };
}
