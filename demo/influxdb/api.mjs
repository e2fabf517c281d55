import { Failure } from '../failure.mjs';

const quoted = (name) => `"${name}"`;

async function request(server, path, options) {
  let response;
  try {
    response = await fetch(server.url + path, { signal: AbortSignal.timeout(30_000), ...options });
  } catch (error) {
    throw new Failure(`InfluxDB at ${server.url} does not answer: ${error.cause?.message ?? error.message}`);
  }
  return { status: response.status, ok: response.ok, text: await response.text() };
}

function refused(server, what, { status, text }) {
  return new Failure(`InfluxDB at ${server.url} refused to ${what}: ${status} ${text.trim()}`);
}

function authorization({ version, credentials }) {
  if (version === '2') return { authorization: `Token ${credentials.token}` };
  if (version === '3') return { authorization: `Bearer ${credentials.token}` };
  if (!credentials.username) return {};
  const pair = Buffer.from(`${credentials.username}:${credentials.password ?? ''}`).toString('base64');
  return { authorization: `Basic ${pair}` };
}

/** Runs InfluxQL, which all three versions understand. Throws with the server's own words. */
async function query(server, text, database = server.database) {
  const answer = await request(server, '/query', {
    method: 'POST',
    headers: authorization(server),
    body: new URLSearchParams({ db: database, q: text }),
  });
  if (!answer.ok) throw refused(server, `run ${text}`, answer);
  const [result] = JSON.parse(answer.text).results;
  if (result.error) throw new Failure(`InfluxDB says to ${text}: ${result.error}`);
  return result.series ?? [];
}

// A bucket of the registry is a retention policy in 1.x, a bucket in 2.x, a database in 3.x.
const table = ({ version }, bucket, measurement) =>
  version === '1' ? `${quoted(bucket)}.${quoted(measurement)}` : quoted(measurement);
const databaseOf = (server, bucket) => (server.version === '1' ? server.database : bucket);

/** How many rows of a measurement have the field, from a moment (milliseconds) on. */
export async function countRows(server, { bucket, measurement, field, since }) {
  const from = table(server, bucket, measurement);
  const text = `SELECT count(${quoted(field)}) FROM ${from} WHERE time >= ${since}ms`;
  const [series] = await query(server, text, databaseOf(server, bucket));
  return series?.values[0]?.[1] ?? 0;
}

/** A command that shows the latest rows of a measurement; a token stays in the environment. */
export function showCommand(server, bucket, measurement) {
  const header = {
    1: server.credentials.username ? '-u "$INFLUX_USERNAME:$INFLUX_PASSWORD" ' : '',
    2: '-H "Authorization: Token $INFLUX_TOKEN" ',
    3: '-H "Authorization: Bearer $INFLUX_TOKEN" ',
  }[server.version];
  const text = `SELECT * FROM ${table(server, bucket, measurement)} ORDER BY time DESC LIMIT 5`;
  return `curl -s ${header}-G ${server.url}/query -d db=${databaseOf(server, bucket)} --data-urlencode 'q=${text}'`;
}

/** Makes the buckets (name to retention in seconds) where they are not there yet. Existing ones are left as they are. */
export async function makeBuckets(server, buckets) {
  if (server.version === '1') await query(server, `CREATE DATABASE ${quoted(server.database)}`);
  for (const [name, seconds] of buckets) await makeBucket[server.version](server, name, seconds);
}

const makeBucket = {
  async 1(server, name, seconds) {
    const [policies] = await query(server, `SHOW RETENTION POLICIES ON ${quoted(server.database)}`);
    if (policies.values.some(([existing]) => existing === name)) return;
    const on = quoted(server.database);
    await query(server, `CREATE RETENTION POLICY ${quoted(name)} ON ${on} DURATION ${seconds}s REPLICATION 1`);
  },

  async 2(server, name, seconds) {
    const headers = { ...authorization(server), 'content-type': 'application/json' };
    const list = async (filter) => {
      const parameters = new URLSearchParams({ org: server.organization, ...filter });
      const answer = await request(server, `/api/v2/buckets?${parameters}`, { headers });
      if (!answer.ok) throw refused(server, `list the buckets of ${server.organization}`, answer);
      return JSON.parse(answer.text).buckets;
    };
    if ((await list({ name })).length > 0) return;
    // An organization always has buckets of the system's own, and they know its id.
    const [{ orgID } = {}] = await list({});
    const body = JSON.stringify({ orgID, name, retentionRules: [{ type: 'expire', everySeconds: seconds }] });
    const made = await request(server, '/api/v2/buckets', { method: 'POST', headers, body });
    if (!made.ok) throw refused(server, `create the bucket ${name}`, made);
  },

  async 3(server, name, seconds) {
    const headers = { ...authorization(server), 'content-type': 'application/json' };
    const body = JSON.stringify({ db: name, retention_period: `${seconds}s` });
    const made = await request(server, '/api/v3/configure/database', { method: 'POST', headers, body });
    const exists = made.status === 409;
    if (!made.ok && !exists) throw refused(server, `create the database ${name}`, made);
  },
};
