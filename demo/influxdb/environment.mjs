import { Failure } from '../failure.mjs';
import { waitFor } from '../wait.mjs';

/**
 * The InfluxDB that the environment names, or undefined if it names none. The server itself says of which version it is;
 * where it does not, what is given tells: a token and an organization are for 2.x, a token alone is for 3.x.
 */
export async function namedServer(environment = process.env) {
  const url = environment.INFLUX_URL?.replace(/\/+$/, '');
  if (!url) return undefined;
  if (!URL.canParse(url)) throw new Failure(`INFLUX_URL is no URL: ${url}`);
  const { INFLUX_TOKEN: token, INFLUX_ORG: organization = '', INFLUX_DATABASE: database = 'iot' } = environment;
  const { INFLUX_USERNAME: username, INFLUX_PASSWORD: password } = environment;
  // 3.x tells nothing without its token.
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const ping = await waitFor(async () => await fetch(`${url}/ping`, { headers }), { seconds: 5 });
  if (ping === undefined) throw new Failure(`InfluxDB does not answer at INFLUX_URL, ${url}.`);
  const told = /^v?([123])\./.exec(ping.headers.get('x-influxdb-version') ?? '')?.[1];
  const version = told ?? (token ? (organization ? '2' : '3') : '1');
  const server = { name: 'named by INFLUX_URL', version, url, named: true, organization: '', database: '' };
  if (version === '1') return { ...server, database, credentials: { username, password } };
  if (version === '3') return { ...server, credentials: { token } };
  if (!token || !organization) {
    throw new Failure(`At INFLUX_URL there is an InfluxDB 2.x: set INFLUX_ORG and INFLUX_TOKEN too.`);
  }
  return { ...server, organization, credentials: { token } };
}
