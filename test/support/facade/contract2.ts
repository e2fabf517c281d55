import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { ContractRequest, Role } from './contract2-requests';

const FILE = join(__dirname, 'recorded', '2.x', 'replies.json');

/** A real 2.x or its façade, with the token of an operator. */
export interface Server2 {
  url: string;
  token: string;
}

interface RecordedReply {
  status: number;
  headers: Record<string, string>;
  /** JSON as a value, everything else as it came; binary in base64. */
  body?: unknown;
}

export interface Exchange {
  request: ContractRequest;
  reply: RecordedReply;
}

export interface Recording {
  /** Of the server that was recorded. */
  version: string;
  exchanges: Exchange[];
}

/** An organization of its own on a server, with a bucket `raw`, and a token of each kind. */
export interface Ground {
  server: Server2;
  organization: string;
  organizationId: string;
  other: string;
  bucket: string;
  tokens: Record<Role, string>;
  /** What the placeholders of requests stand for. */
  names: Map<string, string>;
  remove(): Promise<void>;
}

interface Asked {
  status: number;
  json: Record<string, unknown>;
}

async function ask({ url, token }: Server2, method: string, path: string, body?: unknown): Promise<Asked> {
  const headers = { authorization: `Token ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${url}${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return { status: answer.status, json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

const both = (resource: object): object[] => ['read', 'write'].map((action) => ({ action, resource }));

/** @param name - unique on the server; a bucket `raw` is made in it, and in another organization of its own */
export async function prepareGround(server: Server2, name: string): Promise<Ground> {
  const idOf = async (path: string, body: object): Promise<string> =>
    String((await ask(server, 'POST', path, body)).json['id']);
  const [organization, other, bucket] = [name, `${name}_other`, 'raw'];
  const organizationId = await idOf('/api/v2/orgs', { name: organization });
  const otherId = await idOf('/api/v2/orgs', { name: other });
  const rawId = await idOf('/api/v2/buckets', { orgID: organizationId, name: bucket, retentionRules: [] });
  await idOf('/api/v2/buckets', { orgID: otherId, name: bucket, retentionRules: [] });
  const mint = async (orgID: string, permissions: object[]): Promise<string> =>
    String((await ask(server, 'POST', '/api/v2/authorizations', { orgID, permissions })).json['token']);
  const everything = [...both({ type: 'buckets' }), ...both({ type: 'orgs' })];
  const raw = { type: 'buckets', id: rawId, orgID: organizationId };
  const allOf = (orgID: string): object[] => [
    ...both({ type: 'buckets', orgID }),
    ...both({ type: 'orgs', id: orgID }),
  ];
  const tokens: Record<Role, string> = {
    operator: await mint(organizationId, everything),
    'all-access': await mint(organizationId, allOf(organizationId)),
    provisioner: await mint(organizationId, both({ type: 'buckets', orgID: organizationId })),
    writer: await mint(organizationId, [{ action: 'write', resource: raw }]),
    reader: await mint(organizationId, [{ action: 'read', resource: raw }]),
    none: await mint(organizationId, [{ action: 'read', resource: { type: 'dashboards', orgID: organizationId } }]),
    unknown: 'no-such-token',
    stranger: await mint(otherId, allOf(otherId)),
    'other-operator': await mint(otherId, everything),
  };
  const names = new Map(Object.entries({ organization, organizationId, other, otherId, raw: bucket, rawId }));
  return {
    ...{ server, organization, organizationId, other, bucket, tokens, names },
    async remove() {
      for (const id of [organizationId, otherId]) await ask(server, 'DELETE', `/api/v2/orgs/${id}`);
    },
  };
}

/** Sends a request, and returns the reply with names and ids of the ground put back to placeholders. */
export async function exchange(ground: Ground, request: ContractRequest): Promise<RecordedReply> {
  const { method, path, body, accept } = request;
  const put = (text: string): string =>
    text.replace(/\{(\w+)\}/g, (all, name: string) => ground.names.get(name) ?? all);
  const isForm = path === '/query';
  const answer = await fetch(`${ground.server.url}${put(path)}`, {
    method,
    headers: {
      ...(path !== '/ping' && { authorization: `Token ${ground.tokens[request.as]}` }),
      ...(body !== undefined && { 'content-type': isForm ? 'application/x-www-form-urlencoded' : contentType(path) }),
      ...(accept !== undefined && { accept }),
    },
    ...(body !== undefined && { body: put(body) }),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const headers = headersOf(answer.headers);
  const type = headers['content-type'] ?? '';
  if (request.saves !== undefined) ground.names.set(request.saves, (JSON.parse(bytes.toString()) as { id: string }).id);
  const reply = { status: answer.status, headers };
  if (bytes.length === 0) return reply;
  if (type.includes('msgpack')) return { ...reply, body: bytes.toString('base64') };
  const text = withPlaceholders(ground, bytes.toString());
  return { ...reply, body: type.startsWith('application/json') ? inOrder(JSON.parse(text), path) : text };
}

/** Buckets of all organizations come in the order of their ids, which are random. */
function inOrder(body: unknown, path: string): unknown {
  const { buckets } = body as { buckets?: { name: string }[] };
  if (!path.includes('org')) buckets?.sort((a, b) => a.name.localeCompare(b.name));
  return body;
}

function contentType(path: string): string {
  return path.startsWith('/api/v2/write') ? 'text/plain; charset=utf-8' : 'application/json';
}

/** Those that tell something. */
function headersOf(headers: Headers): Record<string, string> {
  const names = ['content-type', 'x-influxdb-build', 'x-influxdb-error', 'x-platform-error-code', 'retry-after'];
  return Object.fromEntries(names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? '']] : [])));
}

/** Without what differs from one time to the next. */
function withPlaceholders({ names }: Ground, text: string): string {
  let result = text;
  // The longest first: one name can begin with another.
  const known = [...names].filter(([name]) => name !== 'raw').sort((a, b) => b[1].length - a[1].length);
  for (const [name, value] of known) result = result.replaceAll(value, `{${name}}`);
  return result
    .replace(/(?<=["/= ])(?!0123456789abcdef)[0-9a-f]{16}\b/g, '{id}')
    .replace(/\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/g, '{time}');
}

export function readRecording(): Recording {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Recording;
}

export async function writeRecording(recording: Recording): Promise<void> {
  const options = (await resolveConfig(FILE)) ?? {};
  writeFileSync(FILE, await format(JSON.stringify(recording), { ...options, parser: 'json' }));
}
