import { expect, test } from 'vitest';
import { brokerAddress } from '../../../nodes/lib/runtime/broker';

/** As core's node is after it was made, in what we read of it. */
function nodeRedWith(options: Record<string, unknown>): Parameters<typeof brokerAddress>[0] {
  const node = { id: 'b', type: 'mqtt-broker', brokerurl: 'mqtts://broker:8883', options };
  return { nodes: { getNode: (id: string) => (id === 'b' ? node : undefined) } } as never;
}

test('takes over how the broker is reached, and nothing that is the core node’s own', () => {
  const options = {
    username: 'user',
    password: 'secret',
    keepalive: 30,
    clean: true,
    clientId: 'nodered1234',
    reconnectPeriod: 5000,
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 10, userProperties: { place: 'hall' } },
    will: { topic: 'gone', payload: '' },
    ca: 'certificate',
    rejectUnauthorized: true,
  };
  const address = brokerAddress(nodeRedWith(options), 'b');
  const { clean, clientId, will, ...rest } = options;
  expect([clean, clientId, will.topic]).toEqual([true, 'nodered1234', 'gone']);
  expect(address).toEqual({ url: 'mqtts://broker:8883', options: rest });
  // A copy: the core node keeps its own.
  expect(Object.keys(options)).toContain('will');
});

test('knows no broker that is missing, and refuses MQTT 3.1', () => {
  expect(brokerAddress(nodeRedWith({}), 'other')).toBeUndefined();
  expect(() => brokerAddress(nodeRedWith({ protocolVersion: 3 }), 'b')).toThrow(/choose MQTT 3\.1\.1 or 5/);
});
