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

/**
 * The rows of an answer in InfluxQL, which all three versions understand: objects by column. Throws with the server's own
 * words.
 */
async function query(server, text, database = server.database) {
  return server.version === '3' ? queryVersion3(server, text, database) : queryVersion1And2(server, text, database);
}

async function queryVersion1And2(server, text, database) {
  const answer = await request(server, '/query', {
    method: 'POST',
    headers: authorization(server),
    body: new URLSearchParams({ db: database, q: text }),
  });
  if (!answer.ok) throw refused(server, `run ${text}`, answer);
  const [result] = JSON.parse(answer.text).results;
  if (result.error) throw new Failure(`InfluxDB says to ${text}: ${result.error}`);
  const [{ columns, values = [] } = { columns: [] }] = result.series ?? [];
  return values.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])));
}

async function queryVersion3(server, text, database) {
  const headers = { ...authorization(server), 'content-type': 'application/json' };
  const body = JSON.stringify({ db: database, q: text, format: 'jsonl' });
  const answer = await request(server, '/api/v3/query_influxql', { method: 'POST', headers, body });
  if (!answer.ok) throw refused(server, `run ${text}`, answer);
  const lines = answer.text.split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

// A bucket of the registry is a retention policy in 1.x, a bucket in 2.x, a database in 3.x.
const table = ({ version }, bucket, measurement) =>
  version === '1' ? `${quoted(bucket)}.${quoted(measurement)}` : quoted(measurement);
const databaseOf = (server, bucket) => (server.version === '1' ? server.database : bucket);

/** How many rows of a measurement have the field, from a moment (milliseconds) on, up to another one if given. */
export async function countRows(server, { bucket, measurement, field, since, until }) {
  const from = table(server, bucket, measurement);
  const end = until === undefined ? '' : ` AND time < ${until}ms`;
  const text = `SELECT count(${quoted(field)}) FROM ${from} WHERE time >= ${since}ms${end}`;
  const [row] = await query(server, text, databaseOf(server, bucket));
  return row?.count ?? 0;
}

/** The rows of one device in the minute that begins at `minute` (seconds): a list of objects with the given fields. */
export async function rowsOfMinute(server, { bucket, measurement, fields, device, minute }) {
  const text =
    `SELECT ${fields.map(quoted).join(', ')} FROM ${table(server, bucket, measurement)} ` +
    `WHERE "device" = '${device}' AND time >= ${minute}s AND time < ${minute + 60}s`;
  return query(server, text, databaseOf(server, bucket));
}

/** A command that shows the latest rows of a measurement; a token stays in the environment. */
export function showCommand(server, bucket, measurement) {
  const header = {
    1: server.credentials.username ? '-u "$INFLUX_USERNAME:$INFLUX_PASSWORD" ' : '',
    2: '-H "Authorization: Token $INFLUX_TOKEN" ',
    3: '-H "Authorization: Bearer $INFLUX_TOKEN" ',
  }[server.version];
  const text = `SELECT * FROM ${table(server, bucket, measurement)} ORDER BY time DESC LIMIT 5`;
  const path = server.version === '3' ? '/api/v3/query_influxql -d format=pretty' : '/query';
  return `curl -s ${header}-G ${server.url}${path} -d db=${databaseOf(server, bucket)} --data-urlencode 'q=${text}'`;
}

/** How long a bucket keeps its points, in seconds, as InfluxDB itself says; undefined if there is no such bucket. */
export async function retentionOf(server, bucket) {
  return readRetention[server.version](server, bucket);
}

const SECONDS = { h: 3600, m: 60, s: 1 };
const NANOSECONDS = 1e9;
const DATABASES = 'SELECT database_name, retention_period_ns FROM system.databases WHERE deleted = false';

const readRetention = {
  async 1(server, bucket) {
    const policies = await query(server, `SHOW RETENTION POLICIES ON ${quoted(server.database)}`);
    const found = policies.find(({ name }) => name === bucket);
    if (!found) return undefined;
    return [...found.duration.matchAll(/(\d+)([hms])/g)].reduce(
      (sum, [, number, unit]) => sum + number * SECONDS[unit],
      0,
    );
  },

  async 2(server, bucket) {
    const parameters = new URLSearchParams({ org: server.organization, name: bucket });
    const answer = await request(server, `/api/v2/buckets?${parameters}`, { headers: authorization(server) });
    if (answer.status === 404 && answer.text.includes('"bucket ')) return undefined;
    if (!answer.ok) throw refused(server, `show the bucket ${bucket}`, answer);
    const [found] = JSON.parse(answer.text).buckets;
    return found && (found.retentionRules[0]?.everySeconds ?? 0);
  },

  async 3(server, bucket) {
    const headers = { ...authorization(server), 'content-type': 'application/json' };
    const body = JSON.stringify({ db: '_internal', q: DATABASES, format: 'json' });
    const answer = await request(server, '/api/v3/query_sql', { method: 'POST', headers, body });
    if (!answer.ok) throw refused(server, 'list its databases', answer);
    const found = JSON.parse(answer.text).find(({ database_name: name }) => name === bucket);
    return found && (found.retention_period_ns ?? 0) / NANOSECONDS;
  },
};
