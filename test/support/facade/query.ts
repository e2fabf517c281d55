import type { Backend } from './backend';
import type { Reply } from './faulty-server';
import { header, onlyParameters, Unknown } from './honesty';
import type { SeenRequest } from './faults';

const MSGPACK = 'application/x-msgpack';
const PARAMETERS = ['db', 'rp', 'q', 'epoch', 'chunked', 'chunk_size', 'params', 'u', 'p'];

/** A text, or the head of a map or an array, as MessagePack writes them. */
function packed(value: string | { map: number } | { array: number }): Buffer {
  if (typeof value !== 'string') return Buffer.of('map' in value ? 0x80 + value.map : 0x90 + value.array);
  const text = Buffer.from(value);
  return Buffer.concat([Buffer.of(0xda, text.length >> 8, text.length & 0xff), text]);
}

/** An error as both versions give it: inside an answer of status 200, in the form that was asked for. */
function failInside(request: SeenRequest, error: string): Reply {
  if (header(request, 'accept') !== MSGPACK) {
    const body = JSON.stringify({ results: [{ statement_id: 0, error }] });
    return { status: 200, headers: { 'content-type': 'application/json' }, body };
  }
  const id = [packed('statement_id'), Buffer.of(0)];
  const head = [packed({ map: 1 }), packed('results'), packed({ array: 1 }), packed({ map: 2 })];
  const body = Buffer.concat([...head, ...id, packed('error'), packed(error)]);
  return { status: 200, headers: { 'content-type': MSGPACK }, body };
}

/**
 * InfluxQL on 2.x, which the real 1.x behind answers: 2.x gives the same bytes. Statements that name a database or policy
 * themselves, and all that is no reading, are not passed on.
 *
 * `"name"::tag` is the same: 2.9.1 has the code of 1.x for it (tsdb/index.go). No other cast is known.
 *
 * @param policyOf - the retention policy behind a bucket; undefined when it is missing or may not be read
 * @param parseError - how the version says that a statement cannot be parsed; undefined: inside an answer of status 200
 */
export async function answerQuery(
  request: SeenRequest,
  backend: Backend,
  policyOf: (bucket: string) => string | undefined,
  parseError?: (words: string) => Reply,
): Promise<Reply> {
  onlyParameters(request, ...PARAMETERS);
  const form = request.method === 'POST' ? new URLSearchParams(request.body.toString()) : new URLSearchParams();
  const parameters = new URLSearchParams([...request.query, ...form]);
  const statement = parameters.get('q');
  const database = parameters.get('db') ?? '';
  if (statement === null || !/^\s*(?:SELECT|SHOW (?:MEASUREMENTS|FIELD|TAG|SERIES))\b/i.test(statement)) {
    throw new Unknown(`statement ${String(statement)}`);
  }
  const [, cast] = /"::(?!tag\b)(\w*)/.exec(statement) ?? [];
  if (cast !== undefined) throw new Unknown(`cast ${cast}`);
  if (/\sINTO\s/i.test(statement)) return failInside(request, 'not implemented: SELECT INTO');
  const policy = policyOf(database);
  if (policy === undefined) return failInside(request, `database not found: ${database}`);
  for (const name of ['u', 'p', 'db', 'rp']) parameters.delete(name);
  parameters.set('db', backend.database);
  parameters.set('rp', policy);
  const answer = await fetch(`${backend.influxd.url}/query`, {
    method: 'POST',
    body: parameters,
    headers: { accept: header(request, 'accept') ?? 'application/json' },
  });
  if (answer.status === 400) {
    const words = (answer.headers.get('x-influxdb-error') ?? '').replace(/^error parsing query: /, '');
    return parseError?.(words) ?? failInside(request, words);
  }
  return {
    status: answer.status,
    headers: { 'content-type': answer.headers.get('content-type') ?? 'application/json' },
    body: Buffer.from(await answer.arrayBuffer()),
  };
}
