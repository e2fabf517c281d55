import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Packets, type PacketChange } from '../../../nodes/lib/mqtt/packets';
import { Session, type SessionState } from '../../../nodes/lib/mqtt/session';
import { Store } from '../../../nodes/lib/store/store';
import { CONNECT, PUBLISH, PUBREL, startScriptedBroker, type ScriptedBroker } from '../../support/scripted-broker';
import { tempDirectory } from '../../support/temp';

/** MQTT 5 CONNACK: flags, reason code, properties. */
const connack = (present: 0 | 1, reason = 0, ...properties: number[]): number[] => [
  0x20,
  3 + properties.length,
  present,
  reason,
  properties.length,
  ...properties,
];
const RECEIVE_MAXIMUM_6 = [0x21, 0, 6];
/** Packet ids are one byte here. */
const pubrec = (id: number): number[] => [0x50, 2, 0, id];
const pubcomp = (id: number): number[] => [0x70, 2, 0, id];

let store: Store;
let session: Session | undefined;
let packets: Packets;
let changes: string[];
let states: SessionState[];

const owner = {
  changing: () => [],
  changed: (message: string, change: PacketChange) => void changes.push(`${message} ${change.kind}`),
};

beforeEach(async () => {
  store = await Store.open(tempDirectory('session'));
  [changes, states] = [[], []];
});

afterEach(async () => {
  await session?.close();
  await store.close();
});

async function connectTo(broker: ScriptedBroker): Promise<Session> {
  packets = await Packets.load(store, 'broker', owner, () => undefined);
  const options = { protocolVersion: 5 as const, reconnectPeriod: 20 };
  session = new Session({ url: `mqtt://127.0.0.1:${broker.port}`, options }, 'client', packets, {
    ready: () => undefined,
    received: () => Promise.resolve(),
    changed: (state) => void states.push(state),
    notSubscribed: () => undefined,
  });
  return session;
}

const last = (): string | undefined => states.at(-1)?.state;
const sent = (broker: ScriptedBroker, type: number): number =>
  broker.packets.filter((packet) => packet.type === type).length;

describe('a session', () => {
  test('fills at most half of what the broker takes at once', async () => {
    const broker = await startScriptedBroker(({ type }, { send }) => {
      if (type === CONNECT) send(...connack(0, 0, ...RECEIVE_MAXIMUM_6));
    });
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    expect([1, 2, 3, 4].map((count) => made.publish(`m${count}`, 't', 'p', 2))).toEqual([true, true, true, false]);
    expect(session?.room).toBe(0);
    await expect.poll(() => sent(broker, PUBLISH)).toBe(3);
  });

  test('never releases a packet to a broker that has lost the session', async () => {
    let present: 0 | 1 = 1;
    const broker = await startScriptedBroker(({ type, body }, { send }) => {
      if (type === CONNECT) send(...connack(present));
      // Of the first message it takes only the first half of the exchange.
      else if (type === PUBLISH) send(...pubrec(body[2 + (body[1] ?? 0) + 1] ?? 0));
    });
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    made.publish('a', 't', 'p', 2);
    await expect.poll(() => changes).toEqual(['a sent', 'a released']);
    await expect.poll(() => sent(broker, PUBREL)).toBe(1);
    present = 0;
    broker.close();
    await expect.poll(() => changes.at(-1)).toBe('a lost');
    await expect.poll(last).toBe('connected');
    expect(sent(broker, PUBREL)).toBe(1);
    expect(packets.size).toBe(0);
  });

  test('releases it again to a broker that has kept the session, before anything new', async () => {
    let isAnswering = false;
    const broker = await startScriptedBroker(({ type, body }, { send }) => {
      if (type === CONNECT) send(...connack(1));
      else if (type === PUBLISH) send(...pubrec(body[2 + (body[1] ?? 0) + 1] ?? 0));
      else if (type === PUBREL && isAnswering) send(...pubcomp(body[1] ?? 0));
    });
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    made.publish('a', 't', 'p', 2);
    await expect.poll(() => sent(broker, PUBREL)).toBe(1);
    broker.close();
    await expect.poll(() => sent(broker, PUBREL)).toBe(2);
    // The replay is not over: nothing new may go out.
    expect(made.room).toBe(0);
    expect(made.publish('b', 't', 'p', 2)).toBe(false);
    isAnswering = true;
    broker.close();
    await expect.poll(() => changes.at(-1)).toBe('a finished');
    await expect.poll(() => made.room).toBe(10);
  });

  test('does not connect again when the broker says that another client has taken it over', async () => {
    const broker = await startScriptedBroker(({ type }, { send }) => {
      if (type === CONNECT) send(...connack(1));
    });
    await connectTo(broker);
    await expect.poll(last).toBe('connected');
    broker.send(0xe0, 2, 142, 0);
    await expect.poll(last).toBe('taken-over');
    expect(broker.connections()).toBe(1);
    await expect(session?.publishOnce('t', 'p')).rejects.toMatchObject({ code: 'broker-unavailable' });
  });

  test('says what a broker says that refuses it, and tries again', async () => {
    let reason = 135;
    const broker = await startScriptedBroker(({ type }, { send }) => {
      if (type === CONNECT) send(...connack(0, reason));
    });
    await connectTo(broker);
    await expect.poll(() => states.at(-1)).toEqual({ state: 'trouble', reason: 'Connection refused: Not authorized' });
    reason = 0;
    await expect.poll(last).toBe('connected');
  });

  test('says so when nobody speaks MQTT there', async () => {
    const broker = await startScriptedBroker((_packet, { close }) => close());
    await connectTo(broker);
    await expect
      .poll(() => states.at(-1))
      .toMatchObject({ state: 'trouble', reason: expect.stringContaining('without an answer') as string });
  });
});
