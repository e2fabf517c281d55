import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Packets, type PacketChange } from '../../../nodes/lib/mqtt/packets';
import { Session, type SessionState } from '../../../nodes/lib/mqtt/session';
import { Store } from '../../../nodes/lib/store/store';
import {
  CONNECT,
  PINGREQ,
  PUBLISH,
  PUBREL,
  startScriptedBroker,
  SUBSCRIBE,
  type ScriptedBroker,
} from '../../support/scripted-broker';
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
const MAXIMUM_PACKET_SIZE_100 = [0x27, 0, 0, 0, 100];
/** Packet ids are one byte here. */
const pubrec = (id: number): number[] => [0x50, 2, 0, id];
const pubcomp = (id: number): number[] => [0x70, 2, 0, id];
const suback = (id: number, code = 0): number[] => [0x90, 4, 0, id, 0, code];
/** Of a PUBLISH. */
const topicOf = (body: Buffer): string => body.toString('utf8', 2, 2 + (body[1] ?? 0));
const idOf = (body: Buffer): number => body[2 + (body[1] ?? 0) + 1] ?? 0;

const PROOF = 'mqtt2influx/client';

let store: Store;
let session: Session | undefined;
let packets: Packets;
let changes: string[];
let states: SessionState[];
let unproven: string[];
/** Messages that have come to their end. */
let ended: Set<string>;

const owner = {
  changing: () => [],
  changed: (message: string, change: PacketChange) => void changes.push(`${message} ${change.kind}`),
  isWanted: (message: string) => !ended.has(message),
};

beforeEach(async () => {
  store = await Store.open(tempDirectory('session'));
  [changes, states, unproven, ended] = [[], [], [], new Set()];
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
    notProven: (topic) => void unproven.push(topic),
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

  test('does not send again what has come to its end meanwhile, and finishes what was released', async () => {
    const broker = await startScriptedBroker(({ type, body }, { send }) => {
      if (type === CONNECT) send(...connack(1));
      else if (type === PUBLISH && topicOf(body) === 'released') send(...pubrec(idOf(body)));
    });
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    made.publish('a', 'released', 'p', 2);
    await expect.poll(() => changes).toEqual(['a sent', 'a released']);
    made.publish('b', 'unanswered', 'p', 2);
    made.publish('c', 'wanted', 'p', 2);
    await expect.poll(() => sent(broker, PUBLISH)).toBe(3);
    ended = new Set(['a', 'b']);
    broker.close();
    const releases = sent(broker, PUBREL);
    await expect.poll(() => sent(broker, PUBREL)).toBeGreaterThan(releases);
    expect(changes).toContain('b withdrawn');
    expect(changes).not.toContain('a withdrawn');
    expect([...packets.messages()].sort()).toEqual(['a', 'c']);
    const again = broker.packets.filter(({ type, body }) => type === PUBLISH && topicOf(body) === 'unanswered');
    expect(again).toHaveLength(1);
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

  test('does not send what is larger than the broker takes', async () => {
    const broker = await startScriptedBroker(({ type }, { send }) => {
      if (type === CONNECT) send(...connack(0, 0, ...MAXIMUM_PACKET_SIZE_100));
    });
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    expect(made.publish('large', 't', 'x'.repeat(93), 2)).toBe(true);
    await expect.poll(() => changes).toEqual(['large refused']);
    await expect(made.publishOnce('t', 'x'.repeat(93))).rejects.toThrow('no packet of more than 100 bytes');
    // 2 bytes of header, 3 of topic, 2 of id, 1 for no properties.
    expect(made.publish('just', 't', 'x'.repeat(92), 2)).toBe(true);
    await expect.poll(() => sent(broker, PUBLISH)).toBe(1);
    expect(broker.packets.find(({ type }) => type === PUBLISH)?.body).toHaveLength(98);
  });

  test('gives up the packet at whose sight the broker closes the connection, and lets the others go', async () => {
    const broker = await startScriptedBroker(({ type, body }, { send, close }) => {
      if (type === CONNECT) send(...connack(1));
      else if (type === PUBREL) send(...pubcomp(body[1] ?? 0));
      else if (type === PUBLISH && topicOf(body) === 'bad') close();
      else if (type === PUBLISH) send(...pubrec(idOf(body)));
    });
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    made.publish('a', 't', 'p', 2);
    made.publish('poison', 'bad', 'p', 2);
    made.publish('b', 't', 'p', 2);
    const ends = (): string[] => changes.filter((change) => !/ (sent|released)$/.test(change));
    await expect.poll(ends).toEqual(['a finished', 'poison withdrawn', 'b finished']);
    await expect.poll(last).toBe('connected');
    expect(states).toContainEqual({ state: 'trouble', reason: expect.stringContaining('to bad is sent') as string });
  });

  test('lets messages at QoS 0 go when the connection ends before they have left', async () => {
    const broker = await startScriptedBroker(({ type }, { send }) => {
      if (type === CONNECT) send(...connack(1));
    });
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    broker.pause();
    const outcomes = { sent: 0, refused: 0 };
    const payload = 'x'.repeat(100_000);
    const all = Array.from({ length: 300 }, () =>
      made.publishOnce('t', payload).then(
        () => outcomes.sent++,
        () => outcomes.refused++,
      ),
    );
    // More than may wait is refused at once, so that it does not fill the memory.
    await expect.poll(() => outcomes.refused).toBeGreaterThan(100);
    expect(outcomes.sent + outcomes.refused).toBeLessThan(300);
    broker.close();
    await Promise.all(all);
    expect(outcomes.sent + outcomes.refused).toBe(300);
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

describe('a session of which an attempt to connect had no answer', () => {
  /** Whether the session at the broker is the one that has the topic of the proof. */
  let isMarked: boolean;
  /** What the next CONNECT meets. */
  let next: 'answer' | 'close' | 'wipe and close' | 'wipe and answer';
  let isReleasing: boolean;
  let bears: 'all' | 'no proof' | 'no subscription';

  beforeEach(() => {
    [isMarked, next, isReleasing, bears] = [false, 'answer', false, 'all'];
  });

  /** As mosquitto: it confirms a PUBREL, known or not. */
  function startBroker(): Promise<ScriptedBroker> {
    return startScriptedBroker(({ type, body }, broker) => {
      if (type === CONNECT) {
        const now = next;
        next = 'answer';
        if (now.startsWith('wipe')) isMarked = false;
        if (now.endsWith('close')) broker.close();
        else broker.send(...connack(now === 'answer' ? 1 : 0));
      } else if (type === SUBSCRIBE) {
        if (bears === 'no subscription') broker.close();
        else broker.send(...suback(body[1] ?? 0));
        isMarked = bears === 'all';
      } else if (type === PINGREQ) broker.send(0xd0, 0);
      else if (type === PUBLISH && topicOf(body) !== PROOF) broker.send(...pubrec(idOf(body)));
      else if (type === PUBLISH && bears !== 'all') broker.close();
      else if (type === PUBLISH && isMarked) broker.send(0x30, body.length, ...body);
      else if (type === PUBREL && isReleasing) broker.send(...pubcomp(body[1] ?? 0));
    });
  }

  /** One packet is released, and the broker has not said whether it has passed it on. */
  async function release(broker: ScriptedBroker): Promise<Session> {
    const made = await connectTo(broker);
    await expect.poll(last).toBe('connected');
    made.publish('a', 't', 'p', 2);
    await expect.poll(() => sent(broker, PUBREL)).toBe(1);
    isReleasing = true;
    return made;
  }

  test('is resumed when it is still the same one', async () => {
    const broker = await startBroker();
    await release(broker);
    next = 'close';
    broker.close();
    await expect.poll(() => changes.at(-1)).toBe('a finished');
    expect(broker.connections()).toBe(3);
    expect(sent(broker, PUBREL)).toBe(2);
  });

  test('is lost when the broker has made a new one, and said so in the answer that did not come', async () => {
    const broker = await startBroker();
    const made = await release(broker);
    next = 'wipe and close';
    broker.close();
    await expect.poll(() => changes.at(-1), { timeout: 5000 }).toBe('a lost');
    expect(sent(broker, PUBREL)).toBe(1);
    // In the new one it goes on.
    await expect.poll(() => made.room).toBe(10);
    made.publish('b', 't', 'p', 2);
    await expect.poll(() => changes.at(-1)).toBe('b finished');
    expect(isMarked).toBe(true);
  });

  test.each([
    ['a finished', true],
    ['a lost', false],
  ])('is asked for after a restart, as the process before may have had no answer: %s', async (end, isSame) => {
    const broker = await startBroker();
    await release(broker);
    await session?.close();
    isMarked = isSame;
    await connectTo(broker);
    await expect.poll(() => changes.at(-1), { timeout: 5000 }).toBe(end);
  });

  test('is resumed without more ado where every attempt was answered, or refused before the broker heard of it', async () => {
    const broker = await startBroker();
    await release(broker);
    broker.close();
    await expect.poll(() => changes.at(-1)).toBe('a finished');
    expect(broker.packets.filter(({ type, body }) => type === PUBLISH && topicOf(body) === PROOF)).toEqual([]);
  });

  test('is given up when the broker does not bear the proof', async () => {
    const broker = await startBroker();
    await release(broker);
    bears = 'no proof';
    next = 'close';
    broker.close();
    await expect.poll(() => changes.at(-1), { timeout: 5000 }).toBe('a lost');
    expect(unproven).toEqual([PROOF]);
    await expect.poll(last).toBe('connected');
  });

  test('goes on without the proof when the broker closes the connection at the sight of it', async () => {
    bears = 'no subscription';
    isReleasing = true;
    const broker = await startBroker();
    const made = await connectTo(broker);
    for (const message of ['a', 'b', 'c', 'd', 'e']) {
      await expect.poll(() => made.publish(message, 't', 'p', 2)).toBe(true);
      await expect.poll(() => changes.at(-1)).toBe(`${message} finished`);
    }
    expect(sent(broker, SUBSCRIBE)).toBe(3);
    expect(unproven).toEqual([PROOF]);
  });
});
