/** Who asks: each has a token of that kind, and what it may do. */
export type Role =
  /** of the server: may do everything in every organization */
  | 'operator'
  /** may do everything in the organization */
  | 'all-access'
  /** may read and write all buckets of the organization, and not the organization itself */
  | 'provisioner'
  /** may write the bucket `raw` */
  | 'writer'
  /** may read the bucket `raw` */
  | 'reader'
  /** may do nothing with buckets */
  | 'none'
  /** a token that InfluxDB does not know */
  | 'unknown'
  /** may do everything in another organization */
  | 'stranger'
  /** belongs to another organization, and may do everything in every one */
  | 'other-operator';

/** A request of the pack. `{…}` stands for a name or an id of the server it is sent to. */
export interface ContractRequest {
  as: Role;
  method: string;
  path: string;
  body?: string;
  accept?: string;
  /** Name by which later requests know the id in the answer. */
  saves?: string;
}

const EVERYBODY: readonly Role[] = [
  ...(['operator', 'all-access', 'provisioner', 'writer', 'reader', 'none', 'unknown', 'stranger'] as const),
  'other-operator',
];
const POINT = 'm,d=a f=1.5,i=9007199254740993i,s="x",b=true 1700000000000000000';
const WRITE = '/api/v2/write?org={organization}&bucket={raw}&precision=ns';
const BUCKETS = '/api/v2/buckets';

const get = (as: Role, path: string): ContractRequest => ({ as, method: 'GET', path });
const write = (as: Role, body: string, path = WRITE): ContractRequest => ({ as, method: 'POST', path, body });
const send = (as: Role, method: string, path: string, body: unknown): ContractRequest => ({
  ...{ as, method, path },
  body: JSON.stringify(body),
});
const query = (as: Role, q: string, more: Record<string, string> = {}): ContractRequest => ({
  ...{ as, method: 'POST', path: '/query', accept: 'application/json' },
  body: `${new URLSearchParams({ epoch: 'ns', chunked: 'true', chunk_size: '5000', q, ...more }).toString()}&db={raw}&rp=autogen`,
});
const rules = (everySeconds: number, shardGroupDurationSeconds: number): object[] => [
  { type: 'expire', everySeconds, shardGroupDurationSeconds },
];
const bucket = (name: string, orgID: string, everySeconds = 86_400): object => ({
  ...{ orgID, name, retentionRules: rules(everySeconds, 3600) },
});

/** Every request that the pack makes to 2.x, by every kind of token, in an order in which each finds what it needs. */
export const REQUESTS: readonly ContractRequest[] = [
  get('unknown', '/ping'),

  // Test connection, and whether points can be written.
  ...EVERYBODY.map((as) => write(as, '', '/api/v2/write?org={organization}&bucket=_connection_test&precision=ns')),
  ...EVERYBODY.map((as) => write(as, '')),
  write('writer', '', '/api/v2/write?org={organizationId}&bucket={raw}&precision=ns'),
  write('writer', '', '/api/v2/write?org=nobody&bucket={raw}&precision=ns'),
  write('writer', '', '/api/v2/write?org=0123456789abcdef&bucket={raw}&precision=ns'),
  write('writer', POINT),
  write('writer', `m,d=a f=1i 1700000000000000001\n${POINT}`),
  write('writer', `${POINT}\nm,d=a f=\nm f=x 1`),
  write('writer', 'm,time=1 f=1'),

  // What InfluxQL reads.
  ...EVERYBODY.map((as) => query(as, 'SELECT * FROM "m" GROUP BY *')),
  ...EVERYBODY.map((as): ContractRequest => ({ ...query(as, ''), body: 'q=SHOW+DATABASES' })),
  query('reader', 'SHOW FIELD KEYS FROM "m"'),
  query('reader', 'SHOW TAG KEYS FROM "m"'),
  query('reader', 'SHOW MEASUREMENTS'),
  query('reader', 'SELECT "f" FROM "missing"'),
  query('reader', 'SELECT mean("s") FROM "m"'),
  query('reader', 'SELECT FROM'),
  { ...query('reader', 'SELECT * FROM "m" GROUP BY *'), accept: 'application/x-msgpack' },
  { ...query('reader', ''), body: 'q=SELECT+f+FROM+m&db=missing&rp=autogen&epoch=ns&chunked=true' },
  ...EVERYBODY.map((as) => get(as, '/api/v2/dbrps?org={organization}')),
  get('reader', '/api/v2/dbrps?orgID={organizationId}&rp=autogen'),
  get('reader', '/api/v2/dbrps?orgID=0123456789abcdef'),
  get('reader', '/api/v2/dbrps?org=nobody'),
  get('stranger', '/api/v2/dbrps?org={other}'),
  get('stranger', `${BUCKETS}?limit=100&offset=0`),
  get('reader', `${BUCKETS}?limit=100&offset=0`),

  // Buckets: look, create, change.
  ...EVERYBODY.map((as) => get(as, `${BUCKETS}?org={organization}&limit=100&offset=0`)),
  ...EVERYBODY.map((as) => get(as, `${BUCKETS}?org={organization}&name={raw}`)),
  ...EVERYBODY.map((as) => get(as, `${BUCKETS}?org={organization}&name=missing`)),
  get('provisioner', `${BUCKETS}?orgID={organizationId}&name=missing`),
  get('provisioner', `${BUCKETS}?orgID={organizationId}&name=_monitoring`),
  get('all-access', `${BUCKETS}?orgID={organizationId}&name=_monitoring`),
  get('provisioner', `${BUCKETS}?orgID={organizationId}&limit=1&offset=0`),
  get('provisioner', `${BUCKETS}?orgID={organizationId}&limit=1&offset=1`),
  get('provisioner', `${BUCKETS}?orgID={organizationId}&limit=1&offset=2`),
  get('provisioner', `${BUCKETS}?orgID={organizationId}&limit=100&offset=100`),
  get('provisioner', `${BUCKETS}?org=nobody&limit=100&offset=0`),
  get('provisioner', `${BUCKETS}?org=nobody&name=missing`),
  get('provisioner', `${BUCKETS}?orgID=0123456789abcdef&limit=100&offset=0`),
  get('provisioner', `${BUCKETS}?orgID=0123456789abcdef&name=missing`),
  ...EVERYBODY.filter((as) => !['operator', 'all-access', 'provisioner', 'other-operator'].includes(as)).map((as) =>
    send(as, 'POST', BUCKETS, bucket('made', '{organizationId}')),
  ),
  { ...send('provisioner', 'POST', BUCKETS, bucket('made', '{organizationId}')), saves: 'madeId' },
  send('provisioner', 'POST', BUCKETS, bucket('made', '{organizationId}')),
  send('provisioner', 'POST', BUCKETS, bucket('short', '{organizationId}', 3599)),
  send('provisioner', 'POST', BUCKETS, bucket('elsewhere', '0123456789abcdef')),
  send('operator', 'POST', BUCKETS, bucket('elsewhere', '0123456789abcdef')),
  send('provisioner', 'POST', BUCKETS, { name: 'nowhere', retentionRules: rules(86_400, 3600) }),
  ...EVERYBODY.filter((as) => !['operator', 'all-access', 'provisioner', 'other-operator'].includes(as)).map((as) =>
    send(as, 'PATCH', `${BUCKETS}/{madeId}`, { retentionRules: rules(2_592_000, 86_400) }),
  ),
  send('provisioner', 'PATCH', `${BUCKETS}/{madeId}`, { retentionRules: rules(2_592_000, 86_400) }),
  send('provisioner', 'PATCH', `${BUCKETS}/{madeId}`, { retentionRules: [{ type: 'expire', everySeconds: 43_200 }] }),
  send('provisioner', 'PATCH', `${BUCKETS}/{madeId}`, { retentionRules: rules(43_200, 3600) }),
  send('provisioner', 'PATCH', `${BUCKETS}/0123456789abcdef`, { retentionRules: rules(43_200, 3600) }),
  write(
    'provisioner',
    `${POINT}\nm f=2 1600000000000000000`,
    '/api/v2/write?org={organization}&bucket=made&precision=ns',
  ),
];
