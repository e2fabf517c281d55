import type { Backend } from './backend';
import type { SeenRequest } from './faults';
import type { Reply } from './faulty-server';
import { onlyParameters, Unknown } from './honesty';
import { may, newId, type Access, type Organization, type Token } from './influx2-access';
import { fail, json, unauthorized } from './influx2-replies';

const HOUR = 3600;
const DAY = 24 * HOUR;
const PATH = '/api/v2/buckets';

export interface Bucket {
  id: string;
  organization: Organization;
  name: string;
  /** Seconds; 0: for ever. */
  retention: number;
  /** Seconds. */
  shard: number;
  /** InfluxDB's own. */
  isSystem?: boolean;
  /** A retention that was made infinite reads back without a rule. */
  withoutRule?: boolean;
  createdAt: string;
}

interface Rule {
  everySeconds: number;
  shardGroupDurationSeconds?: number;
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The buckets of all organizations, each a retention policy of the real 1.x, and the API that manages them. */
export class BucketStore {
  readonly #backend: Backend;
  readonly #access: Access;
  #buckets: Bucket[] = [];

  constructor(backend: Backend, access: Access) {
    this.#backend = backend;
    this.#access = access;
  }

  addSystemBuckets(organization: Organization): void {
    for (const [name, retention] of [
      ['_monitoring', 7 * DAY],
      ['_tasks', 3 * DAY],
    ] as const) {
      const createdAt = new Date().toISOString();
      this.#buckets.push({ id: newId(), organization, name, retention, shard: DAY, isSystem: true, createdAt });
    }
  }

  async create(organization: Organization, name: string, retention: number, shard: number): Promise<Bucket> {
    const bucket = { id: newId(), organization, name, retention, shard, createdAt: new Date().toISOString() };
    // First of all, so that of two requests for one name the second is refused.
    this.#buckets.push(bucket);
    await this.#backend.createPolicy(bucket.id, retention, shard);
    return bucket;
  }

  async delete(bucket: Bucket): Promise<void> {
    this.#buckets = this.#buckets.filter((each) => each !== bucket);
    await this.#backend.dropPolicy(bucket.id);
  }

  /** In the order of their names, as InfluxDB has them. */
  of(organization: Organization): Bucket[] {
    return this.#buckets
      .filter((bucket) => bucket.organization === organization)
      .sort((a, b) => compare(a.name, b.name));
  }

  named(organization: Organization, name: string): Bucket | undefined {
    return this.#buckets.find((bucket) => bucket.organization === organization && bucket.name === name);
  }

  withId(id: string): Bucket | undefined {
    return this.#buckets.find((bucket) => bucket.id === id);
  }

  async answer(request: SeenRequest): Promise<Reply> {
    const token = this.#access.tokenOf(request);
    if (!token) return unauthorized();
    const { method, path } = request;
    if (path === PATH && method === 'GET') return this.#list(request, token);
    if (path === PATH && method === 'POST') return this.#post(request, token);
    const id = /^\/api\/v2\/buckets\/([0-9a-f]{16})$/.exec(path)?.[1];
    if (id === undefined || (method !== 'DELETE' && method !== 'PATCH')) throw new Unknown('path or method');
    const bucket = this.withId(id);
    if (!bucket) return fail(404, 'not found', 'bucket not found');
    if (!may(token, 'write', 'buckets', { id, orgID: bucket.organization.id })) return refuse(bucket.organization, id);
    if (bucket.isSystem === true) throw new Unknown('a change of a system bucket');
    if (method === 'PATCH') return this.#patch(request, bucket);
    await this.delete(bucket);
    return { status: 204 };
  }

  #list(request: SeenRequest, token: Token): Reply {
    onlyParameters(request, 'org', 'orgID', 'name', 'limit', 'offset');
    const { query } = request;
    const name = query.get('name');
    const limit = Number(query.get('limit') ?? 20);
    if (!(limit >= 1 && limit <= 100)) throw new Unknown(`limit ${limit}`);
    const offset = Number(query.get('offset') ?? 0);
    const orgID = query.get('orgID');
    const organization = query.get('org');
    const isReadable = (bucket: Bucket): boolean => mayRead(token, bucket);
    const reply = (page: Bucket[]): Reply => {
      const parameters = { ...Object.fromEntries(query), limit: String(limit), offset: String(offset) };
      return json(200, { links: linksOf(parameters, page.length, limit, offset), buckets: page.map(described) });
    };
    let owner: string | undefined = orgID ?? undefined;
    if (orgID === null && organization !== null) {
      const found = this.#access.organizationNamed(organization);
      if (!found) return fail(404, 'not found', `organization name "${organization}" not found`);
      owner = found.id;
    }
    if (owner !== undefined && name !== null) {
      // The name is looked for before it is asked whether the token may see what bears it.
      const bucket = this.#buckets.find((each) => each.organization.id === owner && each.name === name);
      if (!bucket) return fail(404, 'not found', `bucket ${JSON.stringify(name)} not found`);
      return reply([bucket].filter(isReadable));
    }
    const all =
      owner === undefined
        ? [...this.#buckets].sort((a, b) => compare(a.id, b.id))
        : this.#buckets.filter((each) => each.organization.id === owner).sort((a, b) => compare(a.name, b.name));
    // A page is cut before the buckets are taken out that the token may not read, but after those of other names.
    const page = all
      .slice(offset)
      .filter((bucket) => name === null || bucket.name === name)
      .slice(0, limit);
    return reply(page.filter(isReadable));
  }

  async #post(request: SeenRequest, token: Token): Promise<Reply> {
    const asked = JSON.parse(request.body.toString()) as { orgID?: string; name: string; retentionRules?: Rule[] };
    if (asked.orgID === undefined) return fail(400, 'invalid', 'organization id must be provided');
    if (!/^[0-9a-f]{16}$/.test(asked.orgID)) return fail(400, 'invalid', 'id must have a length of 16 bytes');
    if (!may(token, 'write', 'buckets', { orgID: asked.orgID })) {
      return refuse({ id: asked.orgID });
    }
    const organization = this.#access.organizationWithId(asked.orgID);
    if (!organization) return fail(404, 'not found', 'organization not found');
    if (asked.name === '' || /^_|"/.test(asked.name)) throw new Unknown(`the name ${asked.name}`);
    const { retention, shard } = settingsOf(asked.retentionRules);
    if (this.named(organization, asked.name)) {
      return fail(422, 'conflict', `bucket with name ${asked.name} already exists`);
    }
    const fault = faultOf(retention, shard);
    if (fault !== undefined) return fail(500, 'internal error', fault);
    return json(201, described(await this.create(organization, asked.name, retention, shard)));
  }

  async #patch(request: SeenRequest, bucket: Bucket): Promise<Reply> {
    const asked = JSON.parse(request.body.toString()) as { retentionRules?: Rule[] };
    if (Object.keys(asked).some((name) => name !== 'retentionRules')) throw new Unknown('another change');
    const [rule] = asked.retentionRules ?? [];
    if (rule) {
      const { retention, shard } = settingsOf([rule], bucket.shard);
      if (retention !== 0 && retention < HOUR) throw new Unknown('a PATCH below the shortest retention');
      if (retention !== 0 && shard > retention) {
        const message = 'shard-group duration must also be updated to be smaller than new retention duration';
        return fail(422, 'unprocessable entity', message);
      }
      await this.#backend.alterPolicy(bucket.id, retention, shard);
      Object.assign(bucket, { retention, shard, withoutRule: retention === 0 });
    }
    return json(200, described(bucket));
  }
}

/** System buckets are seen by those who may read the organization, whatever buckets they may read. */
export function mayRead(token: Token, { id, organization, isSystem }: Bucket): boolean {
  return isSystem === true
    ? may(token, 'read', 'orgs', { id: organization.id })
    : may(token, 'read', 'buckets', { id, orgID: organization.id });
}

function refuse(organization: { id: string }, id?: string): Reply {
  const path = `orgs/${organization.id}/buckets${id === undefined ? '' : `/${id}`}`;
  return fail(401, 'unauthorized', `write:${path} is unauthorized`);
}

function linksOf(
  parameters: Record<string, string>,
  found: number,
  limit: number,
  offset: number,
): Record<string, string> {
  const path = (at: number): string => {
    const { name, ...others } = parameters;
    const query = new URLSearchParams({ descending: 'false', ...others, offset: String(at) });
    if (name !== undefined) query.set('bucket', name);
    query.sort();
    return `${PATH}?${query.toString()}`;
  };
  return {
    ...(offset > 0 && { prev: path(Math.max(0, offset - limit)) }),
    self: path(offset),
    // Judged by what is left of the page: a page that the token may read in part names no other.
    ...(found >= limit && { next: path(offset + limit) }),
  };
}

function described(bucket: Bucket): Record<string, unknown> {
  const { id, organization, name, retention, shard, isSystem = false, withoutRule = false, createdAt } = bucket;
  const rule = { type: 'expire', everySeconds: retention, shardGroupDurationSeconds: shard };
  const self = `${PATH}/${id}`;
  return {
    id,
    orgID: organization.id,
    type: isSystem ? 'system' : 'user',
    ...(isSystem && { description: `System bucket for ${name === '_tasks' ? 'task' : 'monitoring'} logs` }),
    name,
    retentionRules: withoutRule ? [] : [rule],
    createdAt,
    updatedAt: createdAt,
    links: {
      labels: `${self}/labels`,
      members: `${self}/members`,
      org: `/api/v2/orgs/${organization.id}`,
      owners: `${self}/owners`,
      self,
      write: `/api/v2/write?org=${organization.id}&bucket=${id}`,
    },
    labels: [],
  };
}

/** The shard group that InfluxDB chooses for a retention. */
export function shardFor(retention: number): number {
  if (retention === 0 || retention >= 180 * DAY) return 7 * DAY;
  return retention < 2 * DAY ? HOUR : DAY;
}

function settingsOf(rules: Rule[] = [], current?: number): { retention: number; shard: number } {
  if (rules.length > 1) throw new Unknown('several rules');
  const { everySeconds: retention = 0, shardGroupDurationSeconds: asked } = rules[0] ?? {};
  if (asked === 0) throw new Unknown('a shard group of 0');
  return { retention, shard: Math.max(asked ?? current ?? shardFor(retention), HOUR) };
}

/** What 2.x objects to in a new bucket. */
function faultOf(retention: number, shard: number): string | undefined {
  if (retention === 0) return undefined;
  if (retention < HOUR) return 'retention policy duration must be at least 1h0m0s';
  return shard > retention ? 'retention policy duration must be greater than the shard duration' : undefined;
}
