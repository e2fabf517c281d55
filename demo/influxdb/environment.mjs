import { Failure } from '../failure.mjs';
import { waitFor } from '../wait.mjs';

/** The InfluxDB that the environment names, or undefined if it names none. */
export async function namedServer(environment = process.env) {
  const url = environment.INFLUX_URL?.replace(/\/+$/, '');
  if (!url) return undefined;
  if (!URL.canParse(url)) throw new Failure(`INFLUX_URL is no URL: ${url}`);
  const token = environment.INFLUX_TOKEN;
  const organization = environment.INFLUX_ORG ?? '';
  const server = { name: 'named by INFLUX_URL', url, named: true, organization, database: '', credentials: { token } };
  if (token) server.version = organization ? '2' : '3';
  else {
    server.version = '1';
    server.database = environment.INFLUX_DATABASE ?? 'iot';
    server.credentials = { username: environment.INFLUX_USERNAME, password: environment.INFLUX_PASSWORD };
  }
  const answer = await waitFor(async () => (await fetch(`${url}/ping`)).status, { seconds: 5 });
  if (answer === undefined) throw new Failure(`InfluxDB does not answer at INFLUX_URL, ${url}.`);
  return server;
}
