import { randomBytes } from 'node:crypto';
import type { Influxd } from '../influxd';
import { Backend } from './backend';
import type { Faults, SeenRequest } from './faults';
import type { FaultyServer, Reply } from './faulty-server';
import { HonestServer, onlyParameters, Unknown } from './honesty';
import { Access, may, newId, TYPES, type Organization, type Permission, type Token } from './influx2-access';
import { BucketStore, mayRead, shardFor, type Bucket } from './influx2-buckets';
import { fail, json, unauthorized } from './influx2-replies';
import { WriteApi } from './influx2-write';
import { answerQuery } from './query';

const VERSION = 'v2.9.1';

/** What a token may do with the buckets of the organization: all of them, or those that are named and there. */
export interface Permissions {
  read: 'all' | string[];
  write: 'all' | string[];
  /** Read the organization itself; without it InfluxDB's own buckets are not seen. */
  readOrganization?: boolean;
}

export interface Influx2Options {
  organization?: string;
  token?: string;
}

/** A mapping of InfluxQL that was made by hand. */
interface Mapping {
  id: string;
  organization: Organization;
  database: string;
  bucket: Bucket;
}

/** InfluxDB 2.x as it was observed (2.9.1), with a real 1.x behind it that stores: a bucket is a retention policy there. */
export class Influx2Facade {
  readonly organization: string;
  readonly organizationId: string;
  readonly backend: Backend;
  readonly server: FaultyServer;
  readonly #honest: HonestServer;
  readonly #access = new Access();
  readonly #buckets: BucketStore;
  readonly #writing: WriteApi;
  readonly #own: Organization;
  #mappings: Mapping[] = [];

  private constructor(backend: Backend, organization: string, honest: HonestServer) {
    this.backend = backend;
    this.organization = organization;
    this.server = honest.server;
    this.#honest = honest;
    this.#buckets = new BucketStore(backend, this.#access);
    this.#writing = new WriteApi(backend, this.#access, this.#buckets);
    this.#own = this.createOrganization(organization);
    this.organizationId = this.#own.id;
  }

  /** @param options - `token`: of an operator */
  static async start(influxd: Influxd, options: Influx2Options = {}): Promise<Influx2Facade> {
    const { organization = 'test', token = 'test-token' } = options;
    const backend = await Backend.create(influxd, `facade2_${randomBytes(4).toString('hex')}`);
    const handler = (request: SeenRequest): Promise<Reply> => facade.#answer(request);
    const facade = new Influx2Facade(backend, organization, await HonestServer.start(handler));
    const all = TYPES.flatMap((type) => (['read', 'write'] as const).map((action) => ({ action, resource: { type } })));
    facade.#access.allow(token, facade.#own, all);
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

  createOrganization(name: string): Organization {
    const organization = this.#access.createOrganization(name);
    this.#buckets.addSystemBuckets(organization);
    return organization;
  }

  /** Gives a token of the façade's own organization what it may do; buckets are named by their ids, as InfluxDB does. */
  allow(token: string, { read, write, readOrganization = false }: Permissions): void {
    const orgID = this.organizationId;
    const ofBuckets = (action: 'read' | 'write', names: 'all' | string[]): Permission[] => {
      if (names === 'all') return [{ action, resource: { type: 'buckets', orgID } }];
      return names.flatMap((name) => {
        const bucket = this.#buckets.named(this.#own, name);
        return bucket ? [{ action, resource: { type: 'buckets', id: bucket.id, orgID } }] : [];
      });
    };
    const organization = { action: 'read' as const, resource: { type: 'orgs', id: orgID } };
    const permissions = [...ofBuckets('read', read), ...ofBuckets('write', write)];
    this.#access.allow(token, this.#own, readOrganization ? [...permissions, organization] : permissions);
  }

  revoke(token: string): void {
    this.#access.revoke(token);
  }

  /** @param retention - seconds; 0: for ever */
  createBucket(name: string, retention = 0, shard = shardFor(retention)): Promise<Bucket> {
    return this.#buckets.create(this.#own, name, retention, shard);
  }

  /** Has InfluxQL read a bucket by the name of another one, as an explicit DBRP mapping does. */
  mapDatabase(database: string, bucketName: string): void {
    const bucket = this.#buckets.named(this.#own, bucketName);
    if (!bucket) throw new Error(`there is no bucket ${bucketName}`);
    this.#mappings.push({ id: newId(), organization: this.#own, database, bucket });
  }

  async deleteBucket(name: string): Promise<void> {
    const bucket = this.#buckets.named(this.#own, name);
    if (bucket) await this.#buckets.delete(bucket);
  }

  /** Name of the retention policy behind a bucket, for looking at what is stored. */
  policyOf(bucket: string): string {
    return this.#buckets.named(this.#own, bucket)?.id ?? '';
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
    if (path === '/api/v2/write' && method === 'POST') return this.#writing.answer(request);
    if (path === '/query') return this.#query(request);
    if (path === '/api/v2/dbrps' && method === 'GET') return this.#listMappings(request);
    if (path.startsWith('/api/v2/buckets')) return this.#buckets.answer(request);
    if (path === '/api/v2/orgs' && method === 'POST') return this.#postOrganization(request);
    if (path === '/api/v2/authorizations' && method === 'POST') return this.#postAuthorization(request);
    throw new Unknown('path or method');
  }

  /** Reads the organization of the token, whatever the request names. */
  #query(request: SeenRequest): Promise<Reply> | Reply {
    const token = this.#access.readerOf(request);
    if (!token) return fail(401, 'unauthorized', 'Unauthorized');
    const mapped = this.#mapped(token.organization).filter(({ bucket }) => mayReadData(token, bucket));
    const form = new URLSearchParams(request.body.toString());
    if (form.get('q') === 'SHOW DATABASES') {
      const values = [...new Set(mapped.map(({ database }) => database))].map((name) => [name]);
      const series = { name: 'databases', columns: ['name'], ...(values.length > 0 && { values }) };
      const body = `${JSON.stringify({ results: [{ statement_id: 0, series: [series] }] })}\n`;
      return { status: 200, headers: { 'content-type': 'application/json' }, body };
    }
    const policyOf = (database: string): string | undefined => {
      const found = mapped.find((mapping) => mapping.database === database)?.bucket;
      if (found?.isSystem === true) throw new Unknown('points of a system bucket');
      return found?.id;
    };
    return answerQuery(request, this.backend, policyOf, (words) =>
      fail(400, 'invalid', `failed to parse query: ${words}`),
    );
  }

  /** What InfluxQL reads by the name of each database: mappings, then every bucket that no mapping stands for. */
  #mapped(organization: Organization): { id: string; database: string; bucket: Bucket; virtual: boolean }[] {
    const explicit = this.#mappings.filter((mapping) => mapping.organization === organization);
    const virtual = this.#buckets
      .of(organization)
      .filter(({ name }) => !explicit.some(({ database }) => database === name));
    return [
      ...explicit.map((mapping) => ({ ...mapping, virtual: false })),
      ...virtual.map((bucket) => ({ id: bucket.id, database: bucket.name, bucket, virtual: true })),
    ];
  }

  /** Explicit mappings, and those that InfluxDB makes up for all other buckets (source of 2.9.1). */
  #listMappings(request: SeenRequest): Reply {
    onlyParameters(request, 'org', 'orgID', 'rp');
    const token = this.#access.tokenOf(request);
    if (!token) return unauthorized();
    const { query } = request;
    if ((query.get('rp') ?? 'autogen') !== 'autogen') throw new Unknown('another retention policy');
    const [orgID, name] = [query.get('orgID'), query.get('org')];
    if (orgID === null && name === null) {
      return fail(400, 'invalid', "either 'org' or 'orgID' must be provided");
    }
    const organization =
      orgID === null ? this.#access.organizationNamed(name ?? '') : this.#access.organizationWithId(orgID);
    if (!organization) {
      return orgID === null
        ? fail(404, 'not found', `invalid org "${String(name)}": organization not found`)
        : json(200, { content: [] });
    }
    const content = this.#mapped(organization)
      .filter(({ bucket }) => mayReadData(token, bucket))
      .map(({ id, database, bucket, virtual }) => ({
        id,
        database,
        retention_policy: 'autogen',
        default: true,
        virtual,
        orgID: organization.id,
        bucketID: bucket.id,
      }));
    return json(200, { content });
  }

  #postOrganization(request: SeenRequest): Reply {
    const token = this.#access.tokenOf(request);
    if (!token) return unauthorized();
    if (!may(token, 'write', 'orgs', {})) throw new Unknown('an organization made by another than an operator');
    const { name } = JSON.parse(request.body.toString()) as { name: string };
    const { id } = this.createOrganization(name);
    return json(201, { id, name });
  }

  #postAuthorization(request: SeenRequest): Reply {
    const token = this.#access.tokenOf(request);
    if (!token) return unauthorized();
    if (!may(token, 'write', 'authorizations', {})) throw new Unknown('a token made by another than an operator');
    const asked = JSON.parse(request.body.toString()) as { orgID: string; permissions: Permission[] };
    const organization = this.#access.organizationWithId(asked.orgID);
    if (!organization) throw new Unknown('a token of an organization that is not there');
    const value = randomBytes(32).toString('base64url');
    this.#access.allow(value, organization, asked.permissions);
    return json(201, { id: newId(), token: value, orgID: organization.id, permissions: asked.permissions });
  }
}

/** Whether InfluxQL reads it: a system bucket must be seen, and be readable like any other. */
function mayReadData(token: Token, bucket: Bucket): boolean {
  const { id, organization } = bucket;
  return mayRead(token, bucket) && may(token, 'read', 'buckets', { id, orgID: organization.id });
}
