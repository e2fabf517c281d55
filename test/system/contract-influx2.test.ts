// The façade of 2.x answers as the real server was recorded, and the pack does right by every kind of token. With
// TEST_INFLUX2_URL and TEST_INFLUX2_TOKEN (an operator's) of a real 2.x both are tried on that instead; with
// TEST_INFLUX2_RECORD its replies are recorded anew.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REQUESTS } from '../support/facade/contract2-requests';
import {
  exchange,
  prepareGround,
  readRecording,
  writeRecording,
  type Exchange,
  type Ground,
  type Server2,
} from '../support/facade/contract2';
import { Influx2Facade } from '../support/facade/influx2';
import { influxdBehind, uniqueName } from '../support/facade/targets';

const { TEST_INFLUX2_URL: url, TEST_INFLUX2_TOKEN: operator, TEST_INFLUX2_RECORD: record } = process.env;
const isReal = url !== undefined && operator !== undefined;

let facade: Influx2Facade | undefined;

async function startServer(): Promise<Server2> {
  if (isReal) return { url, token: operator };
  facade = await Influx2Facade.start(await influxdBehind());
  return { url: facade.url, token: 'test-token' };
}

let ground: Ground;

beforeAll(async () => {
  ground = await prepareGround(await startServer(), uniqueName());
});

afterAll(async () => {
  if (isReal) await ground.remove();
  facade?.assertHonest();
});

describe(isReal ? `replies of 2.x at ${url}` : 'replies of the façade of 2.x', () => {
  test('are those that were recorded', async () => {
    const seen: Exchange[] = [];
    for (const request of REQUESTS) seen.push({ request, reply: await exchange(ground, request) });
    if (isReal && record !== undefined) {
      const version = (await fetch(`${url}/ping`)).headers.get('x-influxdb-version') ?? '';
      await writeRecording({ version, exchanges: seen });
    }
    const { exchanges } = readRecording();
    expect(exchanges.map(({ request }) => request)).toEqual(REQUESTS);
    for (const [index, { request, reply }] of exchanges.entries()) {
      expect
        .soft(seen[index]?.reply, `${request.as}: ${request.method} ${request.path} ${request.body ?? ''}`)
        .toEqual(reply);
    }
  });
});
