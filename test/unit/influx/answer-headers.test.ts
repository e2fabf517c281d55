import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../../nodes/lib/influx/connect';

let server: Server;

beforeAll(async () => {
  // As 1.6.7 answers; Node's own server would refuse to send it.
  const words = "unable to parse 'm,t=\u0001 v=x': invalid boolean";
  const body = JSON.stringify({ error: words });
  const head = ['HTTP/1.1 400 Bad Request', `X-Influxdb-Error: ${words}`, `Content-Length: ${body.length}`];
  server = createServer((socket) => {
    socket.on('data', () => socket.end(`${head.join('\r\n')}\r\n\r\n${body}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

test('a refusal that quotes control characters in a header is a refusal', async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = connect({ version: '1', url, database: 'iot', timeout: 5000 });
  const outcome = await connection.write('raw', 'm,t=\u0001 v=x', new AbortController().signal);
  connection.close();
  expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringContaining('invalid boolean') as string });
});
