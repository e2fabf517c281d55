import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Influxd } from '../influxd';
import { Backend, linesOf } from './backend';
import type { Faults, SeenRequest } from './faults';
import type { FaultyServer, Reply } from './faulty-server';
import { header, HonestServer, onlyContent, onlyParameters, Unknown } from './honesty';
import { answerQuery } from './query';

const VERSION = 'v2.9.1';
const HOUR = 3600;
const DAY = 24 * HOUR;
/** String fields may be as long as this, in bytes; 1.x is not asked to stand in for longer ones. */
const LONGEST_STRING = 1_048_576;

interface Bucket {
  id: string;
  name: string;
  /** Seconds; 0: for ever. */
  retention: number;
  /** Seconds. */
  shard: number;
  /** A retention that was made infinite reads back without a rule. */
  withoutRule?: boolean;
}

/** Id of an explicit mapping. */
const MAPPING = '00000000000000aa';

const SYSTEM_BUCKETS: readonly Bucket[] = [
  { id: '0'.repeat(15) + '1', name: '_monitoring', retention: 7 * DAY, shard: DAY },
  { id: '0'.repeat(15) + '2', name: '_tasks', retention: 3 * DAY, shard: DAY },
];

/** What a token may do; buckets by name, or all of them. */
export interface Permissions {
  read: 'all' | string[];
  write: 'all' | string[];
}

export interface Influx2Options {
  organization?: string;
  token?: string;
}

function fail(status: number, code: string, message: string): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-platform-error-code': code },
    body: JSON.stringify({ code, message }),
  };
}

function json(status: number, value: unknown): Reply {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
}

/** InfluxDB 2.x as it was observed (2.9.1), with a real 1.x behind it that stores: a bucket is a retention policy there. */
export class Influx2Facade {
  readonly organization: string;
  readonly backend: Backend;
  readonly server: FaultyServer;
  readonly #honest: HonestServer;
  readonly #organizationId = randomBytes(8).toString('hex');
  readonly #buckets = new Map<string, Bucket>();
  readonly #tokens = new Map<string, Permissions>();
  /** Buckets that InfluxQL reads by the name of another one. */
  readonly #mappings = new Map<string, string>();

  private constructor(backend: Backend, organization: string, honest: HonestServer) {
    this.backend = backend;
    this.organization = organization;
    this.server = honest.server;
    this.#honest = honest;
  }

  static async start(influxd: Influxd, options: Influx2Options = {}): Promise<Influx2Facade> {
    const { organization = 'test', token = 'test-token' } = options;
    const backend = await Backend.create(influxd, `facade2_${randomBytes(4).toString('hex')}`);
    const handler = (request: SeenRequest): Promise<Reply> => facade.#answer(request);
    const facade = new Influx2Facade(backend, organization, await HonestServer.start(handler));
    facade.#tokens.set(token, { read: 'all', write: 'all' });
    return facade;
  }

  get url(): string {
    return this.server.url;
  }

  get faults(): Faults {
    return this.server.faults;
  }

  assertHonest(): void {
    this.#honest.assertHonest();
  }

  allow(token: string, permissions: Permissions): void {
    this.#tokens.set(token, permissions);
  }

  revoke(token: string): void {
    this.#tokens.delete(token);
  }

  /** @param retention - seconds; 0: for ever */
  async createBucket(name: string, retention = 0, shard = shardFor(retention)): Promise<Bucket> {
    const bucket = { id: randomBytes(8).toString('hex'), name, retention, shard };
    await this.backend.createPolicy(bucket.id, retention, shard);
    this.#buckets.set(name, bucket);
    return bucket;
  }

  /** Has InfluxQL read a bucket by the name of another one, as an explicit DBRP mapping does. */
  mapDatabase(database: string, bucket: string): void {
    this.#mappings.set(database, bucket);
  }

  async deleteBucket(name: string): Promise<void> {
    const bucket = this.#buckets.get(name);
    if (!bucket) return;
    this.#buckets.delete(name);
    await this.backend.dropPolicy(bucket.id);
  }

  /** Name of the retention policy behind a bucket, for looking at what is stored. */
  policyOf(bucket: string): string {
    return this.#buckets.get(bucket)?.id ?? '';
  }

  async #answer(request: SeenRequest): Promise<Reply> {
    const reply = await this.#route(request);
    return { ...reply, headers: { 'x-influxdb-build': 'OSS', 'x-influxdb-version': VERSION, ...reply.headers } };
  }

  async #route(request: SeenRequest): Promise<Reply> {
    const { method, path } = request;
    if (path === '/ping' && (method === 'GET' || method === 'HEAD')) return { status: 204 };
    if (path === '/health' && method === 'GET')
      return json(200, { name: 'influxdb', status: 'pass', version: VERSION });
    if (path === '/api/v2/write' && method === 'POST') return this.#write(request);
    if (path === '/query') return this.#query(request);
    if (path === '/api/v2/dbrps' && method === 'GET') return this.#listMappings(request);
    if (path.startsWith('/api/v2/buckets')) return this.#manage(request);
    throw new Unknown('path or method');
  }

  #permissions(request: SeenRequest): Permissions | undefined {
    const [, token] = /^(?:Token|Bearer) (.+)$/.exec(header(request, 'authorization') ?? '') ?? [];
    return token === undefined ? undefined : this.#tokens.get(token);
  }

  async #write(request: SeenRequest): Promise<Reply> {
    onlyParameters(request, 'org', 'bucket', 'precision');
    onlyContent(request, 'text/plain');
    const permissions = this.#permissions(request);
    if (!permissions) return fail(401, 'unauthorized', 'unauthorized access');
    const { query } = request;
    const precision = query.get('precision') ?? 'ns';
    if (!['ns', 'us', 'ms', 's'].includes(precision)) {
      return fail(400, 'invalid', 'invalid precision; valid precision units are ns, us, ms, and s');
    }
    if (precision !== 'ns') throw new Unknown(`precision ${precision}`);
    const name = query.get('bucket') ?? '';
    if (name === '') return fail(404, 'not found', 'bucket not found');
    const organization = query.get('org');
    if (organization === null || organization === '') {
      return fail(400, 'invalid', 'Please provide either orgID or org');
    }
    if (organization !== this.organization && organization !== this.#organizationId) {
      return fail(404, 'not found', `organization name "${organization}" not found`);
    }
    const bucket = this.#buckets.get(name);
    if (!bucket) return fail(404, 'not found', `bucket "${name}" not found`);
    if (permissions.write !== 'all' && !permissions.write.includes(name)) {
      return fail(403, 'forbidden', 'insufficient permissions for write');
    }
    const body = this.#bodyOf(request);
    return typeof body === 'string' ? this.#store(bucket, linesOf(body)) : body;
  }

  #bodyOf(request: SeenRequest): string | Reply {
    if (header(request, 'content-encoding') !== 'gzip') return request.body.toString();
    try {
      return gunzipSync(request.body).toString();
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === 'Z_BUF_ERROR' && request.body.length > 0) {
        return fail(500, 'internal error', 'unable to read data: unexpected EOF');
      }
      if (code === 'Z_DATA_ERROR' && request.body.subarray(0, 2).equals(Buffer.of(0x1f, 0x8b))) {
        return fail(400, 'invalid', 'gzip: invalid checksum');
      }
      return fail(500, 'internal error', 'An internal error has occurred - check server logs');
    }
  }

  async #store(bucket: Bucket, lines: string[]): Promise<Reply> {
    if (lines.length === 0) return { status: 204 };
    if (lines.some((line) => line.length > LONGEST_STRING)) throw new Unknown('a line longer than the longest string');
    const reserved = lines.find((line) => /^[^ ]*,(?:time|_field|_measurement)=/.test(line));
    if (reserved !== undefined)
      return fail(400, 'invalid', `unable to parse '${reserved}': cannot use reserved tag key "time"`);
    const faults = await this.backend.unparsable(lines);
    if (faults.length > 0) {
      return fail(400, 'invalid', faults.map(({ line, reason }) => `unable to parse '${line}': ${reason}`).join('\n'));
    }
    const { status, error } = await this.backend.write(bucket.id, lines.join('\n'));
    if (status === 204) return { status };
    if (status === 400 && error.startsWith('partial write: points beyond retention policy')) {
      return this.#beyondRetention(bucket, error, lines);
    }
    if (status === 400 && error.startsWith('partial write: field type conflict')) {
      return fail(422, 'unprocessable entity', `failure writing points to database: ${error}`);
    }
    if (status === 500 && error.startsWith('engine:')) {
      return fail(500, 'internal error', `unexpected error writing points to database: ${error}`);
    }
    throw new Unknown(`1.x says ${status}: ${error}`);
  }

  #beyondRetention(bucket: Bucket, error: string, lines: string[]): Reply {
    const dropped = /dropped=([0-9]+)/.exec(error)?.[1] ?? '';
    const hours = bucket.retention / 3600;
    const [first = ''] = lines;
    const bound = new Date(Date.now() - bucket.retention * 1000).toISOString();
    const why = `dropped because it violates a Retention Policy Lower Bound at ${bound}`;
    const message =
      `failure writing points to database: partial write: dropped ${dropped} points outside retention policy of duration ` +
      `${hours}h0m0s - oldest point ${first} ${why}, newest point ${first} ${why} dropped=${dropped} ` +
      `for database: ${bucket.id} for retention policy: autogen`;
    return fail(422, 'unprocessable entity', message);
  }

  #query(request: SeenRequest): Promise<Reply> | Reply {
    const basic = /^Basic (.+)$/.exec(header(request, 'authorization') ?? '')?.[1];
    const token = basic === undefined ? undefined : Buffer.from(basic, 'base64').toString().split(':')[1];
    const permissions = token === undefined ? this.#permissions(request) : this.#tokens.get(token);
    if (!permissions) return fail(401, 'unauthorized', 'Unauthorized');
    const policyOf = (name: string): string | undefined => {
      const isReadable = permissions.read === 'all' || permissions.read.includes(name);
      return isReadable ? this.#buckets.get(this.#mappings.get(name) ?? name)?.id : undefined;
    };
    return answerQuery(request, this.backend, policyOf, (words) =>
      fail(400, 'invalid', `failed to parse query: ${words}`),
    );
  }

  async #manage(request: SeenRequest): Promise<Reply> {
    const permissions = this.#permissions(request);
    if (!permissions) return fail(401, 'unauthorized', 'unauthorized access');
    const { method, path } = request;
    if (path === '/api/v2/buckets' && method === 'GET') return this.#list(request, permissions);
    if (path === '/api/v2/buckets' && method === 'POST') return this.#create(request, permissions);
    const id = /^\/api\/v2\/buckets\/([0-9a-f]{16})$/.exec(path)?.[1];
    if (id === undefined || (method !== 'DELETE' && method !== 'PATCH')) throw new Unknown('path or method');
    const bucket = [...this.#buckets.values()].find((each) => each.id === id);
    if (!bucket) return fail(404, 'not found', 'bucket not found');
    if (permissions.read !== 'all') throw new Unknown('a bucket by its id with a token that reads single ones');
    if (permissions.write !== 'all') return this.#unauthorized(`/${id}`);
    if (method === 'PATCH') return this.#patch(request, bucket);
    await this.deleteBucket(bucket.name);
    return { status: 204 };
  }

  /** Explicit mappings, and those that InfluxDB makes up for all other buckets (source of 2.9.1). */
  #listMappings(request: SeenRequest): Reply {
    onlyParameters(request, 'org', 'orgID', 'rp');
    if (!this.#permissions(request)) return fail(401, 'unauthorized', 'unauthorized access');
    if (request.query.get('rp') !== 'autogen') throw new Unknown('another retention policy');
    const content = [...this.#buckets.values()].map(({ id, name }) => {
      const mapping = { database: name, retention_policy: 'autogen', default: true, orgID: this.#organizationId };
      const explicit = this.#mappings.get(name);
      return explicit === undefined
        ? { ...mapping, id, bucketID: id, virtual: true }
        : { ...mapping, id: MAPPING, bucketID: this.#buckets.get(explicit)?.id ?? '', virtual: false };
    });
    return json(200, { content });
  }

  #unauthorized(path = ''): Reply {
    return fail(401, 'unauthorized', `write:orgs/${this.#organizationId}/buckets${path} is unauthorized`);
  }

  #list(request: SeenRequest, permissions: Permissions): Reply {
    onlyParameters(request, 'org', 'orgID', 'name', 'limit', 'offset');
    const { query } = request;
    const name = query.get('name');
    const organization = query.get('org');
    if (organization !== null && organization !== this.organization) {
      return fail(404, 'not found', `organization name "${organization}" not found`);
    }
    if ((query.get('orgID') ?? this.#organizationId) !== this.#organizationId) throw new Unknown('another orgID');
    const found = [...SYSTEM_BUCKETS, ...this.#buckets.values()].filter(
      (bucket) => name === null || bucket.name === name,
    );
    const limit = Number(query.get('limit') ?? 20);
    if (!(limit >= 1 && limit <= 100)) throw new Unknown(`limit ${limit}`);
    const offset = Number(query.get('offset') ?? 0);
    // A page is cut before the buckets are taken out that the token may not read.
    const page = found.slice(offset, offset + limit);
    const readable = page.filter((bucket) => permissions.read === 'all' || permissions.read.includes(bucket.name));
    return json(200, { buckets: readable.map((bucket) => this.#described(bucket)) });
  }

  async #create(request: SeenRequest, permissions: Permissions): Promise<Reply> {
    const asked = JSON.parse(request.body.toString()) as { orgID?: string; name: string; retentionRules?: Rule[] };
    if (asked.orgID === undefined) return fail(400, 'invalid', 'organization id must be provided');
    if (asked.orgID !== this.#organizationId) return fail(404, 'not found', 'organization not found');
    if (permissions.write !== 'all') return this.#unauthorized();
    if (/^_|"/.test(asked.name)) throw new Unknown(`the name ${asked.name}`);
    const { retention, shard } = settingsOf(asked.retentionRules);
    if (this.#buckets.has(asked.name)) return fail(422, 'conflict', `bucket with name ${asked.name} already exists`);
    const fault = faultOf(retention, shard);
    if (fault !== undefined) return fail(500, 'internal error', fault);
    return json(201, this.#described(await this.createBucket(asked.name, retention, shard)));
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
      await this.backend.alterPolicy(bucket.id, retention, shard);
      Object.assign(bucket, { retention, shard, withoutRule: retention === 0 });
    }
    return json(200, this.#described(bucket));
  }

  #described({ id, name, retention, shard, withoutRule = false }: Bucket): Record<string, unknown> {
    const rule = { type: 'expire', everySeconds: retention, shardGroupDurationSeconds: shard };
    return {
      id,
      orgID: this.#organizationId,
      ...(name.startsWith('_') && { type: 'system' }),
      name,
      retentionRules: withoutRule ? [] : [rule],
    };
  }
}

interface Rule {
  everySeconds: number;
  shardGroupDurationSeconds?: number;
}

/** The shard group that InfluxDB chooses for a retention. */
function shardFor(retention: number): number {
  if (retention === 0 || retention >= 180 * DAY) return 7 * DAY;
  return retention < 2 * DAY ? HOUR : DAY;
}

function settingsOf(rules: Rule[] = [], current?: number): { retention: number; shard: number } {
  if (rules.length > 1) throw new Unknown('several rules');
  const { everySeconds: retention = 0, shardGroupDurationSeconds: asked } = rules[0] ?? {};
  if (asked === 0) throw new Unknown('a shard group of 0');
  return { retention, shard: Math.max(asked ?? current ?? shardFor(retention), HOUR) };
}

/** What 2.x objects to a new bucket. */
function faultOf(retention: number, shard: number): string | undefined {
  if (retention === 0) return undefined;
  if (retention < HOUR) return 'retention policy duration must be at least 1h0m0s';
  return shard > retention ? 'retention policy duration must be greater than the shard duration' : undefined;
}
